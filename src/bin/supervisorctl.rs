//! The command line client of the daemon.

fn main() -> std::process::ExitCode {
    minder::ctl::main()
}
