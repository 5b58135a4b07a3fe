//! Which symbolic links of a tree lead out of it, told from the tree alone.
//!
//! A link stays inside when no step of its target leaves the root. Steps up are judged by the path's words, which is right as long
//! as they go through real directories; a step up behind another link is not judged but counted as leading out. When all links
//! of a tree pass, following any chain of them ends inside.

use std::collections::HashSet;

/// A symbolic link as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Where it lies, relative to the root, with `/`.
    pub path: Vec<u8>,
    /// What it says.
    pub target: Vec<u8>,
}

/// The links that lead out, or may.
pub(super) fn leading_out(links: &[Link]) -> impl Iterator<Item = &Link> {
    let all = paths(links);
    links.iter().filter(move |link| leads_out(link, &all))
}

/// All others.
pub(super) fn staying_inside(links: &[Link]) -> impl Iterator<Item = &Link> {
    let all = paths(links);
    links.iter().filter(move |link| !leads_out(link, &all))
}

fn paths(links: &[Link]) -> HashSet<&[u8]> {
    links.iter().map(|link| link.path.as_slice()).collect()
}

fn leads_out(link: &Link, links: &HashSet<&[u8]>) -> bool {
    if link.target.first() == Some(&b'/') || link.target.is_empty() || link.target.contains(&0) {
        return true;
    }
    let mut at: Vec<&[u8]> = link.path.split(|b| *b == b'/').collect();
    at.pop();
    let mut behind_a_link = false;
    for step in link.target.split(|b| *b == b'/') {
        match step {
            b"" | b"." => {}
            b".." => {
                if behind_a_link || at.pop().is_none() {
                    return true;
                }
            }
            name => {
                at.push(name);
                behind_a_link |= links.contains(at.join(&b'/').as_slice());
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(path: &str, target: &str) -> Link {
        Link {
            path: path.into(),
            target: target.into(),
        }
    }

    #[test]
    fn a_link_may_go_anywhere_inside_and_nowhere_else() {
        let links = [
            link("a", "b"),
            link("x/y/a", "../../b/c"),
            link("x/a", "y/../z"),
            link("x/root", ".."),
            link("gone", "not/there"),
            link("up", "../b"),
            link("x/y/up", "../../../b"),
            link("etc", "/etc/passwd"),
            link("empty", ""),
        ];
        let out: Vec<&[u8]> = leading_out(&links).map(|l| l.path.as_slice()).collect();
        assert_eq!(out, [&b"up"[..], b"x/y/up", b"etc", b"empty"]);
        assert_eq!(staying_inside(&links).count(), 5);
    }

    #[test]
    fn a_step_up_behind_a_link_counts_as_out() {
        // By its words x/y stays inside; really it leads through the root to its parent.
        let links = [link("a/b/d", "../.."), link("x/y", "../a/b/d/..")];
        let out: Vec<&Link> = leading_out(&links).collect();
        assert_eq!(out, [&links[1]]);
    }
}
