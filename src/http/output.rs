//! Answers on their way, and the ones that the server gives by itself.

use super::response::{Announce, Extent, Response};

/// An answer and how much of it is sent.
#[derive(Default)]
pub(super) struct Output {
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) sent: usize,
}

impl Output {
    /// What is left of both parts.
    pub(super) fn rest(&self) -> (&[u8], &[u8]) {
        let in_body = self.sent.saturating_sub(self.head.len());
        (
            self.head.get(self.sent..).unwrap_or_default(),
            self.body.get(in_body..).unwrap_or_default(),
        )
    }

    pub(super) fn unsent(&self) -> usize {
        (self.head.len() + self.body.len()).saturating_sub(self.sent)
    }
}

/// An answer to a request that gets no further, as it is sent; its connection ends with it.
pub(super) fn refusal(status: u16, version: &str, head_only: bool) -> Vec<u8> {
    let extent = if head_only { Extent::HeadOnly } else { Extent::Whole };
    let (response, announce) = match status {
        401 => {
            let response = Response::new(401)
                .header("Connection", "close")
                .header("WWW-Authenticate", "Basic realm=\"default\"");
            (response.error_page(), Announce::Nothing)
        }
        // Supervisor closes without a word after these; clients see the same bytes.
        400 | 411 => (Response::error(status), Announce::Nothing),
        _ => (Response::error(status), Announce::Close),
    };
    let (mut head, body) = response.render(version, extent, announce);
    head.extend_from_slice(&body);
    head
}
