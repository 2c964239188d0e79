//! From names to addresses without libc, whose resolver loads shared libraries that an image from scratch does not
//! have: /etc/hosts, then a question to the name servers of /etc/resolv.conf (in a container, Docker's own).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

pub fn own() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_string()
}

pub fn resolve(name: &str) -> Result<IpAddr, String> {
    if let Ok(address) = name.trim_matches(['[', ']']).parse() {
        return Ok(address);
    }
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    if let Some(address) = in_hosts(&read("/etc/hosts"), name) {
        return Ok(address);
    }
    let servers = servers(&read("/etc/resolv.conf"));
    let mut why = "no name server in /etc/resolv.conf".to_string();
    for _ in 0..2 {
        for server in &servers {
            match ask(*server, name) {
                Ok(address) => return Ok(IpAddr::V4(address)),
                Err(error) => why = error,
            }
        }
    }
    Err(format!("{name}: {why}"))
}

fn in_hosts(text: &str, name: &str) -> Option<IpAddr> {
    text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
    })
}

fn servers(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())
        .map(|address: IpAddr| SocketAddr::new(address, 53))
        .collect()
}

fn ask(server: SocketAddr, name: &str) -> Result<Ipv4Addr, String> {
    let own: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { "[::]:0".parse().unwrap_or(server) };
    let id = std::process::id() as u16;
    let mut answer = [0; 1500];
    let mut talk = || {
        let socket = UdpSocket::bind(own)?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        socket.connect(server)?;
        socket.send(&question(id, name))?;
        socket.recv(&mut answer)
    };
    let length = talk().map_err(|why| format!("{server}: {why}"))?;
    first_address(&answer[..length], id).map_err(|why| format!("{server}: {why}"))
}

fn question(id: u16, name: &str) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    // Recursion desired; one question.
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        packet.push(label.len().min(63) as u8);
        packet.extend(label.bytes().take(63));
    }
    packet.extend([0, 0, 1, 0, 1]);
    packet
}

/// The first A record of an answer; aliases before it are skipped, since a resolver sends the address they lead to
/// along.
fn first_address(packet: &[u8], id: u16) -> Result<Ipv4Addr, &'static str> {
    const SHORT: &str = "the answer is cut short";
    let at = |index: usize| packet.get(index).copied().ok_or(SHORT);
    let word = |index: usize| Ok::<_, &str>(u16::from_be_bytes([at(index)?, at(index + 1)?]));
    if word(0)? != id {
        return Err("an answer to another question");
    }
    match at(3)? & 15 {
        0 => {}
        3 => return Err("no such host"),
        _ => return Err("the name server failed"),
    }
    let past_name = |mut index: usize| loop {
        match at(index)? {
            0 => return Ok::<_, &str>(index + 1),
            length if length >= 0xc0 => return Ok(index + 2),
            length => index += 1 + usize::from(length),
        }
    };
    let mut index = 12;
    for _ in 0..word(4)? {
        index = past_name(index)? + 4;
    }
    for _ in 0..word(6)? {
        index = past_name(index)?;
        let (kind, length) = (word(index)?, usize::from(word(index + 8)?));
        index += 10;
        if kind == 1 && length == 4 {
            return Ok(Ipv4Addr::new(at(index)?, at(index + 1)?, at(index + 2)?, at(index + 3)?));
        }
        index += length;
    }
    Err("the host has no address")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An alias, then the address it leads to, both named by a pointer to the question.
    fn answer() -> Vec<u8> {
        let mut packet = question(7, "db.lab");
        packet[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 2]);
        packet.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 15]);
        packet.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 1, 2, 3]);
        packet
    }

    #[test]
    fn asks_for_an_address() {
        assert_eq!(question(0x0102, "a.bc"), b"\x01\x02\x01\0\0\x01\0\0\0\0\0\0\x01a\x02bc\0\0\x01\0\x01");
    }

    #[test]
    fn finds_the_address_behind_an_alias() {
        assert_eq!(first_address(&answer(), 7), Ok(Ipv4Addr::new(10, 1, 2, 3)));
    }

    #[test]
    fn refuses_what_is_no_answer() {
        assert_eq!(first_address(&answer(), 8), Err("an answer to another question"));
        for cut in 0..answer().len() {
            assert!(first_address(&answer()[..cut], 7).is_err(), "{cut} bytes");
        }
        let mut unknown = answer();
        unknown[3] = 0x83;
        assert_eq!(first_address(&unknown, 7), Err("no such host"));
    }

    #[test]
    fn hosts_file_and_servers() {
        let hosts = "127.0.0.1 localhost\n10.0.0.9\tdb db.lab # the database\n";
        assert_eq!(in_hosts(hosts, "DB.lab"), Some("10.0.0.9".parse().unwrap()));
        assert_eq!(in_hosts(hosts, "the"), None);
        let conf = "search lab\nnameserver 127.0.0.11\noptions ndots:0\nnameserver ::1\n";
        assert_eq!(servers(conf), ["127.0.0.11:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
    }

    #[test]
    fn addresses_need_no_question() {
        assert_eq!(resolve("10.1.2.3"), Ok("10.1.2.3".parse().unwrap()));
    }
}
