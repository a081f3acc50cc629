//! Prints a sample configuration.

fn main() -> std::process::ExitCode {
    minder::echo_supervisord_conf::main()
}
