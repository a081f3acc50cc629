//! Stands for a daemon that has a pidfile.

fn main() -> std::process::ExitCode {
    minder::pidproxy::main()
}
