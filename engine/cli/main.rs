//! The program.

mod args;

fn main() {
    if let Err(error) = args::Cli::read(std::env::args_os()) {
        error.exit();
    }
}
