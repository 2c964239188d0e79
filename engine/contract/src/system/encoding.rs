//! The encodings of text, by the names that Python gives them.

use encoding_rs::{DecoderResult, EncoderResult};

use crate::lean;

/// An encoding of text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoding {
    Utf8,
    /// UTF-8 with a byte order mark.
    Utf8Sig,
    /// The first 128 characters of Unicode.
    Ascii,
    /// The first 256 characters of Unicode.
    Latin1,
    /// Two bytes for most characters; without a byte order mark if the order is given.
    Utf16(Option<Order>),
    Utf32(Option<Order>),
    /// One that browsers know, too: the code pages of Windows, ISO 8859, KOI8, and those of East Asia.
    Other(&'static encoding_rs::Encoding),
}

/// The order of the bytes of one unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    Little,
    Big,
}

/// A character that an encoding does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct Unencodable {
    /// Python's name of the encoding.
    codec: String,
    pub char: char,
    /// The number of characters before it.
    pub position: usize,
    why: &'static str,
}

impl std::fmt::Display for Unencodable {
    /// In Python's words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = u32::from(self.char);
        let shown = match code {
            0..=0xff => format!("\\x{code:02x}"),
            0x100..=0xffff => format!("\\u{code:04x}"),
            _ => format!("\\U{code:08x}"),
        };
        write!(f, "'{}' codec can't encode character '{shown}' in position {}: {}", self.codec, self.position, self.why)
    }
}

impl Encoding {
    /// The encoding of that name; upper case, `_` and `-` make no difference. `None` if it is unknown.
    pub fn named(name: &str) -> Option<Encoding> {
        let name = name.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        let bare = name.replace('-', "");
        Some(match bare.as_str() {
            "utf8" | "u8" | "utf" | "cp65001" => Encoding::Utf8,
            "utf8sig" => Encoding::Utf8Sig,
            "ascii" | "usascii" | "646" => Encoding::Ascii,
            "latin1" | "latin" | "l1" | "iso88591" | "8859" | "cp819" => Encoding::Latin1,
            "utf16" | "u16" => Encoding::Utf16(None),
            "utf16le" => Encoding::Utf16(Some(Order::Little)),
            "utf16be" => Encoding::Utf16(Some(Order::Big)),
            "utf32" | "u32" => Encoding::Utf32(None),
            "utf32le" => Encoding::Utf32(Some(Order::Little)),
            "utf32be" => Encoding::Utf32(Some(Order::Big)),
            _ if cfg!(feature = "lean") => return None,
            _ => {
                let label = match bare.strip_prefix("cp").or_else(|| bare.strip_prefix("iso8859")) {
                    Some(page @ ("866" | "874")) if bare.starts_with("cp") => {
                        if page == "866" {
                            "ibm866".to_owned()
                        } else {
                            "windows-874".to_owned()
                        }
                    }
                    Some("932") => "shift-jis".to_owned(),
                    Some("936") => "gbk".to_owned(),
                    Some("949") => "euc-kr".to_owned(),
                    Some("950") => "big5".to_owned(),
                    Some(page) if bare.starts_with("cp125") => format!("windows-{page}"),
                    Some(part) if bare.starts_with("iso8859") => format!("iso-8859-{part}"),
                    _ => match bare.as_str() {
                        "eucjp" | "ujis" => "euc-jp".to_owned(),
                        "euckr" => "euc-kr".to_owned(),
                        "shiftjis" | "sjis" => "shift-jis".to_owned(),
                        "koi8r" => "koi8-r".to_owned(),
                        "koi8u" => "koi8-u".to_owned(),
                        "macroman" => "macintosh".to_owned(),
                        _ => match bare.strip_prefix("latin") {
                            Some(number) => format!("latin{number}"),
                            None => name.clone(),
                        },
                    },
                };
                let found = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes())?;
                // Those have names of their own above; a browser takes others for them.
                if found == encoding_rs::UTF_8 || found == encoding_rs::UTF_16LE || found == encoding_rs::UTF_16BE {
                    return None;
                }
                Encoding::Other(found)
            }
        })
    }

    /// Whether that is the name of an encoding with a table, which a lean agent lacks.
    pub fn has_table(name: &str) -> bool {
        matches!(Encoding::named(name), Some(Encoding::Other(_)))
    }

    /// The text of these bytes; `None` if they are none in this encoding.
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Encoding::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Encoding::Utf8Sig => {
                std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok().map(str::to_owned)
            }
            Encoding::Ascii => bytes.is_ascii().then(|| bytes.iter().map(|byte| char::from(*byte)).collect()),
            Encoding::Latin1 => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
            Encoding::Utf16(order) => {
                let (order, bytes) = marked(order, bytes, b"\xff\xfe", b"\xfe\xff");
                let (units, rest) = bytes.as_chunks::<2>();
                let units = units.iter().map(|unit| match order {
                    Order::Little => u16::from_le_bytes(*unit),
                    Order::Big => u16::from_be_bytes(*unit),
                });
                char::decode_utf16(units).collect::<Result<String, _>>().ok().filter(|_| rest.is_empty())
            }
            Encoding::Utf32(order) => {
                let (order, bytes) = marked(order, bytes, b"\xff\xfe\0\0", b"\0\0\xfe\xff");
                let (units, rest) = bytes.as_chunks::<4>();
                let chars = units.iter().map(|unit| {
                    char::from_u32(match order {
                        Order::Little => u32::from_le_bytes(*unit),
                        Order::Big => u32::from_be_bytes(*unit),
                    })
                });
                chars.collect::<Option<String>>().filter(|_| rest.is_empty())
            }
            // Never made there, but the linker cannot know.
            Encoding::Other(_) if cfg!(feature = "lean") => None,
            Encoding::Other(encoding) => {
                let mut decoder = encoding.new_decoder_without_bom_handling();
                let mut text = String::with_capacity(decoder.max_utf8_buffer_length_without_replacement(bytes.len())?);
                let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, true);
                matches!(result, DecoderResult::InputEmpty).then_some(text)
            }
        }
    }

    /// The bytes of a text.
    ///
    /// # Errors
    /// The first character that the encoding does not have.
    pub fn encode(self, text: &str) -> Result<Vec<u8>, Unencodable> {
        let unencodable = |at: usize, codec: String, why: &'static str| {
            let char = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER);
            Unencodable { codec, char, position: text.get(..at).unwrap_or_default().chars().count(), why }
        };
        let within = |most: u32, codec: &str, why| {
            let wrong = text.char_indices().find(|(_, c)| u32::from(*c) > most);
            match wrong {
                Some((at, _)) => Err(unencodable(at, codec.to_owned(), why)),
                None => Ok(text.chars().map(|c| u32::from(c) as u8).collect()),
            }
        };
        match self {
            Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
            Encoding::Utf8Sig => Ok([b"\xef\xbb\xbf", text.as_bytes()].concat()),
            Encoding::Ascii => within(0x7f, "ascii", "ordinal not in range(128)"),
            Encoding::Latin1 => within(0xff, "latin-1", "ordinal not in range(256)"),
            Encoding::Utf16(order) => {
                let mark = if order.is_none() { Some(0xfeff) } else { None };
                let units = mark.into_iter().chain(text.encode_utf16());
                Ok(units
                    .flat_map(|unit| match order {
                        Some(Order::Big) => unit.to_be_bytes(),
                        _ => unit.to_le_bytes(),
                    })
                    .collect())
            }
            Encoding::Utf32(order) => {
                let mark = if order.is_none() { Some(0xfeff) } else { None };
                let units = mark.into_iter().chain(text.chars().map(u32::from));
                Ok(units
                    .flat_map(|unit| match order {
                        Some(Order::Big) => unit.to_be_bytes(),
                        _ => unit.to_le_bytes(),
                    })
                    .collect())
            }
            Encoding::Other(_) if cfg!(feature = "lean") => Err(unencodable(0, String::new(), lean::ABSENT)),
            Encoding::Other(encoding) => {
                let mut encoder = encoding.new_encoder();
                let room = encoder.max_buffer_length_from_utf8_without_replacement(text.len());
                let mut bytes = Vec::with_capacity(room.unwrap_or(text.len() * 4));
                let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(text, &mut bytes, true);
                match result {
                    EncoderResult::InputEmpty => Ok(bytes),
                    EncoderResult::Unmappable(c) => {
                        let codec = encoding.name().to_ascii_lowercase().replace("windows-", "cp").replace('-', "_");
                        let why = if encoding.is_single_byte() {
                            "character maps to <undefined>"
                        } else {
                            "illegal multibyte sequence"
                        };
                        Err(unencodable(read - c.len_utf8(), codec, why))
                    }
                    EncoderResult::OutputFull => Err(unencodable(read, encoding.name().to_owned(), "it is too long")),
                }
            }
        }
    }

    /// Like [`Encoding::encode`], with a question mark for each character that the encoding lacks.
    pub fn encode_lossy(self, text: &str) -> Vec<u8> {
        let mut text = std::borrow::Cow::Borrowed(text);
        loop {
            match self.encode(&text) {
                Ok(bytes) => return bytes,
                Err(missing) => text = text.replace(missing.char, "?").into(),
            }
        }
    }
}

/// The order of the bytes, as the mark at their start or as the encoding says, and the bytes after the mark.
fn marked<'b>(order: Option<Order>, bytes: &'b [u8], little: &[u8], big: &[u8]) -> (Order, &'b [u8]) {
    match (order, bytes.strip_prefix(little), bytes.strip_prefix(big)) {
        (Some(order), ..) => (order, bytes),
        (None, Some(rest), _) => (Order::Little, rest),
        (None, None, Some(rest)) => (Order::Big, rest),
        (None, None, None) => (Order::Little, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_python() {
        for (name, encoding) in [
            ("UTF-8", Encoding::Utf8),
            ("utf_8", Encoding::Utf8),
            ("latin-1", Encoding::Latin1),
            ("ISO-8859-1", Encoding::Latin1),
            ("us-ascii", Encoding::Ascii),
            ("utf-16-le", Encoding::Utf16(Some(Order::Little))),
            ("gbk", Encoding::Other(encoding_rs::GBK)),
            ("cp1252", Encoding::Other(encoding_rs::WINDOWS_1252)),
            ("windows-1251", Encoding::Other(encoding_rs::WINDOWS_1251)),
            ("iso8859-15", Encoding::Other(encoding_rs::ISO_8859_15)),
            ("latin2", Encoding::Other(encoding_rs::ISO_8859_2)),
            ("euc_jp", Encoding::Other(encoding_rs::EUC_JP)),
            ("shift_jis", Encoding::Other(encoding_rs::SHIFT_JIS)),
        ] {
            assert_eq!(Encoding::named(name), Some(encoding), "{name}");
        }
        for name in ["nonono", "", "replacement", "unicode-1-1-utf-8"] {
            assert_eq!(Encoding::named(name), None, "{name}");
        }
    }

    #[test]
    fn bytes_and_text_become_each_other() {
        for (name, text, bytes) in [
            ("latin-1", "é", b"\xe9".as_slice()),
            ("utf-16", "é\n", b"\xff\xfe\xe9\0\n\0"),
            ("utf-16-be", "é", b"\0\xe9"),
            ("utf-32-le", "é", b"\xe9\0\0\0"),
            ("utf-8-sig", "é", b"\xef\xbb\xbf\xc3\xa9"),
            ("gbk", "你好", b"\xc4\xe3\xba\xc3"),
            ("cp1252", "€", b"\x80"),
        ] {
            let encoding = Encoding::named(name).unwrap();
            assert_eq!(encoding.encode(text).unwrap(), bytes, "{name}");
            assert_eq!(encoding.decode(bytes).as_deref(), Some(text), "{name}");
        }
        assert_eq!(Encoding::Utf16(None).decode(b"\xfe\xff\0a").as_deref(), Some("a"));
    }

    #[test]
    fn what_does_not_fit_is_told_in_pythons_words() {
        let told = |name: &str, text: &str| Encoding::named(name).unwrap().encode(text).unwrap_err().to_string();
        assert_eq!(
            told("ascii", "x=é"),
            "'ascii' codec can't encode character '\\xe9' in position 2: ordinal not in range(128)"
        );
        assert_eq!(
            told("latin1", "x=€"),
            "'latin-1' codec can't encode character '\\u20ac' in position 2: ordinal not in range(256)"
        );
        assert_eq!(
            told("gbk", "ab😀"),
            "'gbk' codec can't encode character '\\U0001f600' in position 2: illegal multibyte sequence"
        );
        assert_eq!(Encoding::Latin1.encode_lossy("a€b€"), b"a?b?");
        for (name, bytes) in [("utf-8", b"\xff".as_slice()), ("ascii", b"\x80"), ("gbk", b"\xff"), ("utf-16-le", b"a")]
        {
            assert_eq!(Encoding::named(name).unwrap().decode(bytes), None, "{name}");
        }
    }
}
