//! Runs the stand-in by itself over a directory of archives: `galaxy-stand-in DIRECTORY [ADDRESS]`.

use std::{path::Path, process::ExitCode, thread, time::Duration};

use galaxy_stand_in::Stand;

fn main() -> ExitCode {
    let Some(directory) = std::env::args().nth(1) else {
        eprintln!("galaxy-stand-in DIRECTORY [ADDRESS]");
        return ExitCode::FAILURE;
    };
    let address = std::env::args().nth(2).unwrap_or_else(|| "127.0.0.1:8089".to_owned());
    let stand = Stand::start(&address).and_then(|stand| stand.publish_all(Path::new(&directory)).map(|()| stand));
    match stand {
        Ok(stand) => {
            println!("ANSIBLE_GALAXY_SERVER={}", stand.url);
            loop {
                thread::sleep(Duration::from_secs(3600));
            }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
