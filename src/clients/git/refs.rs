//! Reads the list of refs that a Git server opens with (gitprotocol-http(5), gitprotocol-common(5) "pkt-line").
//!
//! Done here and not by libgit2's binding, because that one panics on a ref whose name is not UTF-8, and such names exist.

use crate::model::Sha;

/// The commit (or tag) that `reference` points at; `None` when it is not in the list, an error when this is no such list.
pub(super) fn find(list: &[u8], reference: &str) -> Result<Option<Sha>, String> {
    let mut rest = list;
    while !rest.is_empty() {
        let line = next(&mut rest)?;
        if let Some(error) = line.strip_prefix(b"ERR ") {
            return Err(format!(
                "the Git server said: {}",
                String::from_utf8_lossy(error).trim_end()
            ));
        }
        // The first ref carries the server's capabilities behind a NUL.
        let line = line.split(|b| *b == 0 || *b == b'\n').next().unwrap_or(line);
        let Some((id, name)) = line
            .iter()
            .position(|b| *b == b' ')
            .map(|at| (&line[..at], &line[at + 1..]))
        else {
            continue;
        };
        if name == reference.as_bytes() {
            let id = String::from_utf8_lossy(id);
            return id.parse().map(Some).map_err(|e| format!("{e}"));
        }
    }
    Ok(None)
}

/// Cuts off one line; empty for the packets that only divide (`0000` and its like).
fn next<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let broken = || "the list of refs breaks off in the middle".to_owned();
    let (length, tail) = rest.split_at_checked(4).ok_or_else(broken)?;
    let length = std::str::from_utf8(length)
        .ok()
        .and_then(|hex| usize::from_str_radix(hex, 16).ok())
        .ok_or_else(|| "the list of refs is not in Git's form".to_owned())?;
    let (line, tail) = tail.split_at_checked(length.saturating_sub(4)).ok_or_else(broken)?;
    *rest = tail;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7";
    const B: &str = "ae1560886d4f094c3e6c9ef40349f7d38b5d27d8";

    fn packet(line: &[u8]) -> Vec<u8> {
        [format!("{:04x}", line.len() + 4).as_bytes(), line].concat()
    }

    fn list() -> Vec<u8> {
        [
            packet(b"# service=git-upload-pack\n"),
            b"0000".to_vec(),
            packet(format!("{A} HEAD\0multi_ack agent=git/2.39 x\n").as_bytes()),
            packet(&[B.as_bytes(), b" refs/heads/\xff\xfe\n"].concat()),
            packet(format!("{B} refs/heads/main\n").as_bytes()),
            b"0000".to_vec(),
        ]
        .concat()
    }

    #[test]
    fn a_ref_is_found_by_its_whole_name() {
        let sha = |s: &str| s.parse::<Sha>().expect("a commit id");
        assert_eq!(find(&list(), "HEAD"), Ok(Some(sha(A))));
        assert_eq!(find(&list(), "refs/heads/main"), Ok(Some(sha(B))));
        assert_eq!(find(&list(), "main"), Ok(None));
        assert_eq!(find(&list(), "refs/heads/mai"), Ok(None));
    }

    #[test]
    fn an_empty_repository_has_no_refs() {
        let empty = [
            packet(b"# service=git-upload-pack\n"),
            b"0000".to_vec(),
            packet(b"0000000000000000000000000000000000000000 capabilities^{}\0agent=x\n"),
            b"0000".to_vec(),
        ]
        .concat();
        assert_eq!(find(&empty, "refs/heads/main"), Ok(None));
    }

    #[test]
    fn what_is_no_list_is_said_to_be_none() {
        let whole = list();
        let cut = find(&whole[..whole.len() - 20], "refs/heads/main").expect_err("cut");
        assert!(cut.contains("breaks off"), "{cut}");
        assert!(find(b"<html>", "HEAD").expect_err("html").contains("not in Git's form"));
        let refused = find(&packet(b"ERR no access\n"), "HEAD").expect_err("ERR");
        assert_eq!(refused, "the Git server said: no access");
    }
}
