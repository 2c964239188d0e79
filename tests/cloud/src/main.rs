//! Runs the stand-in by itself, to try playbooks against: `cloud-stand-in [ADDRESS]`.

use std::{process::ExitCode, thread, time::Duration};

use cloud_stand_in::{Cloud, Settings};

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8088".to_owned());
    let settings = Settings::default();
    println!("TENCENTCLOUD_SECRET_ID={} TENCENTCLOUD_SECRET_KEY={}", settings.secret_id, settings.secret_key);
    match Cloud::start(&address, settings) {
        Ok(cloud) => {
            println!("tencent_endpoint={}", cloud.url);
            loop {
                thread::sleep(Duration::from_secs(3600));
            }
        }
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}
