//! The HTTP server: bounded everywhere, a thread for the connections, a pool for whole requests.
#![deny(unsafe_code)]
