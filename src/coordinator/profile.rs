//! How often the loop did what and how long that took: `--profile_options` and `--profile`.
//! Pure: the time that something took comes in as a value.
#![forbid(unsafe_code)]

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::config::values;

/// What the rows of the account are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The longest time in all first.
    Time,
    /// The most frequent first.
    Count,
    /// By name.
    Name,
}

/// The words of `--profile_options`: what Python's profiler sorts by, as far as it means
/// something here, and `callers`, of which the loop has none.
const WORDS: [(&str, Option<Order>); 15] = [
    ("cumulative", Some(Order::Time)),
    ("cumtime", Some(Order::Time)),
    ("time", Some(Order::Time)),
    ("tottime", Some(Order::Time)),
    ("calls", Some(Order::Count)),
    ("ncalls", Some(Order::Count)),
    ("pcalls", Some(Order::Count)),
    ("name", Some(Order::Name)),
    ("stdname", Some(Order::Name)),
    ("nfl", Some(Order::Name)),
    ("file", Some(Order::Name)),
    ("filename", Some(Order::Name)),
    ("module", Some(Order::Name)),
    ("line", None),
    ("callers", None),
];

fn word(item: &str) -> Option<&'static (&'static str, Option<Order>)> {
    WORDS.iter().find(|(word, _)| item.eq_ignore_ascii_case(word))
}

/// Whether the text is a value of `--profile_options` and no file name.
pub fn is_list(text: &str) -> bool {
    values::strings(text).iter().all(|item| word(item).is_some())
}

/// The orders that such a list names, the first one first. Other words name none, as Supervisor
/// starts with any.
pub fn orders(text: &str) -> Vec<Order> {
    values::strings(text).iter().filter_map(|item| word(item)?.1).collect()
}

impl Order {
    fn compare(self, a: &Named<'_>, b: &Named<'_>) -> Ordering {
        match self {
            Order::Time => b.1.total.cmp(&a.1.total),
            Order::Count => b.1.count.cmp(&a.1.count),
            Order::Name => a.0.cmp(b.0),
        }
    }
}

/// What is known of one kind of work.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    count: u64,
    total: Duration,
    longest: Duration,
}

type Named<'a> = (&'static str, &'a Row);

/// The account: a row for each kind of work that was done.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    rows: BTreeMap<&'static str, Row>,
}

impl Profile {
    /// Adds one piece of work.
    pub fn add(&mut self, kind: &'static str, took: Duration) {
        let row = self.rows.entry(kind).or_default();
        row.count += 1;
        row.total += took;
        row.longest = row.longest.max(took);
    }

    /// The account as text, sorted by the first order, rows that are equal there by the second
    /// and so on; without any by time.
    pub fn report(&self, orders: &[Order]) -> String {
        let orders = if orders.is_empty() { &[Order::Time, Order::Count] } else { orders };
        let mut rows: Vec<Named<'_>> = self.rows.iter().map(|(name, row)| (*name, row)).collect();
        rows.sort_by(|a, b| {
            let mut compared = orders.iter().map(|order| order.compare(a, b));
            compared.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
        });
        let count: u64 = rows.iter().map(|(_, row)| row.count).sum();
        let total: Duration = rows.iter().map(|(_, row)| row.total).sum();
        let mut text = format!(
            "{count} pieces of work of the main loop in {:.6} seconds\n\n\
             {:>10} {:>12} {:>12} {:>12}  kind\n",
            total.as_secs_f64(),
            "count",
            "seconds",
            "mean us",
            "longest us"
        );
        for (name, row) in rows {
            let mean = micros(row.total) / row.count.max(1) as f64;
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "{:>10} {:>12.6} {mean:>12.1} {:>12.1}  {name}",
                row.count,
                row.total.as_secs_f64(),
                micros(row.longest)
            );
        }
        text
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_words_and_file_names() {
        for list in ["", "calls", "Cumulative,CALLS, callers", "callers", "time"] {
            assert!(is_list(list), "{list}");
        }
        for file in ["x", "calls.txt", "./calls", "calls,", "/tmp/p", "calls,x"] {
            assert!(!is_list(file), "{file}");
        }
        assert_eq!(orders("calls,x,Time,callers"), [Order::Count, Order::Time]);
        assert_eq!(orders("foo"), []);
    }

    #[test]
    fn the_account() {
        let mut profile = Profile::default();
        for _ in 0..3 {
            profile.add("often", Duration::from_micros(10));
        }
        profile.add("long", Duration::from_micros(1000));
        profile.add("long", Duration::from_micros(3000));
        profile.add("as long", Duration::from_micros(4000));
        let names = |orders: &[Order]| {
            let text = profile.report(orders);
            let rows = text.lines().skip(3);
            rows.map(|row| row.rsplit("  ").next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&[]), ["long", "as long", "often"]);
        assert_eq!(names(&[Order::Time]), ["as long", "long", "often"]);
        assert_eq!(names(&[Order::Count]), ["often", "long", "as long"]);
        assert_eq!(names(&[Order::Name]), ["as long", "long", "often"]);
        let text = profile.report(&[Order::Count]);
        assert!(text.starts_with("6 pieces of work of the main loop in 0.008030 seconds\n\n"));
        let row = text.lines().nth(4).unwrap();
        let row: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(row, ["2", "0.004000", "2000.0", "3000.0", "long"]);
    }
}
