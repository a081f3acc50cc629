//! The daemon: runs programs and keeps them running.

fn main() -> std::process::ExitCode {
    minder::daemon::main()
}
