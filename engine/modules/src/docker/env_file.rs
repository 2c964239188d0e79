//! Files of environment variables for containers.

/// The variables in a file with lines NAME=value. Comments begin with `#`; values are not unquoted, as in Docker's
/// `--env-file`.
pub(super) fn read(text: &str) -> Result<Vec<(String, String)>, usize> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_start()));
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(at, line)| {
            let (name, value) = line.split_once('=').ok_or(at)?;
            Ok((name.trim_end().to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_files_are_read_as_docker_reads_them() {
        let pairs = read("# comment\nA=1\n\n  B = x=\"y\" \n").unwrap();
        assert_eq!(pairs, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), " x=\"y\" ".to_owned())]);
        assert_eq!(read("A=1\nnonsense\n"), Err(2));
    }
}
