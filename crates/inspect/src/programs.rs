//! Programs that firmware starts: folders of their sections, and who has signed them.

use image::{Content, Node, NodeId, Tree};
use signature::Authenticode;
use uki::Program;

use crate::Result;

/// What errors call a program.
const WHAT: &str = "program";

/// Whether bytes are such a program.
pub(crate) fn is_program(head: &[u8], content: &Content) -> bool {
    head.starts_with(b"MZ") && Program::read(content, WHAT).is_ok()
}

/// The sections as files. Of several with one name, all but the first have a number behind it; characters that names of
/// files have not are left out.
pub(crate) fn tree(content: &Content) -> Result<Tree> {
    let mut tree = Tree::default();
    for (name, section) in Program::read(content, WHAT)?.sections {
        let name: Vec<u8> = name
            .into_iter()
            .filter(|byte| byte.is_ascii_graphic() && *byte != b'/')
            .collect();
        let is_taken = |tree: &Tree, name: &[u8]| {
            let path = [b"/", name].concat();
            name.is_empty() || name == b"." || name == b".." || tree.lookup(&path).is_some()
        };
        let mut free = name.clone();
        let mut number = 1;
        while is_taken(&tree, &free) {
            number += 1;
            free = [&name[..], format!("@{number}").as_bytes()].concat();
        }
        tree.add(NodeId::ROOT, &free, Node::file(section))?;
    }
    Ok(tree)
}

/// Who has signed a program, and for what machine it is.
///
/// # Errors
/// When it cannot be read, or a signature in it is not good.
pub fn signed_by(content: &Content) -> Result<(String, Vec<Authenticode>)> {
    let machine = Program::read(content, WHAT)?.machine.to_string();
    Ok((machine, uki::signatures(content, WHAT)?))
}

/// What was checked, what not, and what is wrong.
pub(crate) fn check(content: &Content) -> (Vec<&'static str>, Vec<&'static str>, Result<()>) {
    match signed_by(content) {
        Ok((_, signers)) if signers.is_empty() => (
            vec!["the headers"],
            vec!["sections: nobody has signed them"],
            Ok(()),
        ),
        Ok(_) => (
            vec!["the headers, and all bytes with the signature; not whether firmware trusts the signer"],
            Vec::new(),
            Ok(()),
        ),
        Err(error) => (vec!["the headers"], vec!["sections"], Err(error)),
    }
}
