//! System calls: the only place of nix, libc and `unsafe`.

pub mod poll;
