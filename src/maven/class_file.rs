//! The constant pool of a Java class file: which types a class speaks of, without running or loading it.
//!
//! Java Virtual Machine Specification, SE 21, section 4.1 (structure) and 4.4 (constant pool). Only the pool is read: it holds every
//! name that the class uses. Classes come out of an archive that somebody else made, so every length is checked; a file that is cut off
//! or is no class gives an error, never a panic.

use std::borrow::Cow;

/// Why a file is not a class file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassFileError {
    /// It does not begin with `CAFEBABE`.
    #[error("it does not begin with CAFEBABE")]
    Magic,
    /// It ends in the middle of its constant pool.
    #[error("it ends inside its constant pool")]
    CutOff,
    /// A kind of constant that no version of Java has.
    #[error("it has a constant of unknown kind {0}")]
    Tag(u8),
}

/// The major version in the first eight bytes of a class file; `None` if it is none.
pub fn major_version(head: &[u8]) -> Option<u16> {
    match head {
        [0xca, 0xfe, 0xba, 0xbe, _, _, high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

/// The names in a class file's constant pool.
#[derive(Debug)]
pub struct ConstantPool<'a> {
    /// By index; empty where the constant is no text.
    texts: Vec<&'a [u8]>,
    /// Indexes of class names.
    classes: Vec<u16>,
    /// By index of a string constant: the index of its text.
    strings: Vec<(u16, u16)>,
    /// Major version of the file's format.
    major: u16,
    /// What follows the pool.
    rest: &'a [u8],
}

impl<'a> ConstantPool<'a> {
    /// Reads the pool at the start of a class file; what follows it is not looked at.
    pub fn read(file: &'a [u8]) -> Result<Self, ClassFileError> {
        let mut input = Input(file);
        if input.take(4) != Ok(&[0xca, 0xfe, 0xba, 0xbe]) {
            return Err(ClassFileError::Magic);
        }
        input.u16()?; // minor version
        let major = input.u16()?;
        let count = input.u16()?;
        // Entry 0 does not exist (4.1). A constant has at least three bytes, so the file's length bounds what is allocated.
        let mut texts = Vec::with_capacity(usize::from(count).min(file.len() / 3 + 1));
        texts.push(&[][..]);
        let (mut classes, mut strings) = (Vec::new(), Vec::new());
        while texts.len() < usize::from(count) {
            let mut text: &[u8] = &[];
            let tag = input.u8()?;
            let wide = match tag {
                // Utf8
                1 => {
                    let length = input.u16()?;
                    text = input.take(usize::from(length))?;
                    false
                }
                // Class
                7 => {
                    classes.push(input.u16()?);
                    false
                }
                // Long, Double: they take two places (4.4.5)
                5 | 6 => {
                    input.take(8)?;
                    true
                }
                // String
                8 => {
                    // The count is a u16, and so is each index.
                    strings.push((texts.len() as u16, input.u16()?));
                    false
                }
                // MethodType, Module, Package
                16 | 19 | 20 => input.take(2).map(|_| false)?,
                // MethodHandle
                15 => input.take(3).map(|_| false)?,
                // Integer, Float, Fieldref, Methodref, InterfaceMethodref, NameAndType, Dynamic, InvokeDynamic
                3 | 4 | 9..=12 | 17 | 18 => input.take(4).map(|_| false)?,
                tag => return Err(ClassFileError::Tag(tag)),
            };
            texts.push(text);
            if wide {
                texts.push(&[]);
            }
        }
        Ok(Self {
            texts,
            classes,
            strings,
            major,
            rest: input.0,
        })
    }

    /// Major version of the class file's format: 52 is Java 8, each Java since has one more (4.1).
    pub fn major(&self) -> u16 {
        self.major
    }

    /// The string constants, in the order of the pool; what is no UTF-8 in them is replaced.
    pub fn strings(&self) -> impl Iterator<Item = Cow<'a, str>> + '_ {
        self.strings
            .iter()
            .map(|(_, text)| String::from_utf8_lossy(self.text(*text)))
    }

    /// Names and values of fields that are constant texts, `static final String` (4.5, 4.7.2). It ends where the file is
    /// cut off.
    pub fn constant_fields(&self) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
        let mut found = Vec::new();
        // A file that is cut off has given what it has.
        let _ = self.read_fields(&mut found);
        found
    }

    fn read_fields(&self, found: &mut Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Result<(), ClassFileError> {
        let mut input = Input(self.rest);
        input.take(6)?; // access flags, this class, super class
        let interfaces = input.u16()?;
        input.take(usize::from(interfaces) * 2)?;
        for _ in 0..input.u16()? {
            input.u16()?; // access flags
            let name = input.u16()?;
            input.u16()?; // descriptor
            for _ in 0..input.u16()? {
                let attribute = input.u16()?;
                let length = input.u32()?;
                let content = input.take(usize::try_from(length).map_err(|_| ClassFileError::CutOff)?)?;
                if self.text(attribute) == b"ConstantValue"
                    && let [high, low] = *content
                    && let Ok(at) = self
                        .strings
                        .binary_search_by_key(&u16::from_be_bytes([high, low]), |(index, _)| *index)
                {
                    let value = String::from_utf8_lossy(self.text(self.strings[at].1));
                    found.push((String::from_utf8_lossy(self.text(name)), value));
                }
            }
        }
        Ok(())
    }

    fn text(&self, index: u16) -> &'a [u8] {
        self.texts.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// Does the class speak of a type below this package, for example `javax/servlet/`?
    ///
    /// Superclasses, calls and casts are class constants; parameters, fields and annotations stand in descriptors and signatures.
    /// A mere string that has the package's name in it does not count.
    pub fn refers_to(&self, package: &str) -> bool {
        let package = package.as_bytes();
        let class = |index: &u16| {
            let name = self.texts.get(usize::from(*index)).copied().unwrap_or_default();
            name.starts_with(package) || (name.starts_with(b"[") && has_type(name, package))
        };
        self.classes.iter().any(class)
            || self
                .texts
                .iter()
                .any(|text| matches!(text.first(), Some(b'(' | b'L' | b'[' | b'<')) && has_type(text, package))
    }
}

impl ConstantPool<'_> {
    /// Does the class name a class of this simple name, in whatever package?
    pub fn names_class(&self, simple: &str) -> bool {
        self.classes.iter().any(|index| {
            let name = self.texts.get(usize::from(*index)).copied().unwrap_or_default();
            name.strip_suffix(simple.as_bytes())
                .is_some_and(|package| package.ends_with(b"/"))
        })
    }
}

/// Is there `L` and the package in this descriptor or signature (4.3, 4.7.9.1), at the start of a type?
fn has_type(descriptor: &[u8], package: &[u8]) -> bool {
    let mut rest = descriptor;
    while let Some(at) = rest.iter().position(|&byte| byte == b'L') {
        // Before an `L` that begins a type stands nothing, or what can end or open one.
        let begins = at == 0
            || matches!(
                rest[at - 1],
                b'(' | b')' | b'[' | b';' | b'<' | b':' | b'+' | b'-' | b'*' | b'^'
            )
            || b"BCDFIJSZV".contains(&rest[at - 1]);
        if begins && rest[at + 1..].starts_with(package) && rest.contains(&b';') {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ClassFileError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ClassFileError::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, ClassFileError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, ClassFileError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Result<u32, ClassFileError> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }
}

/// A class file with just these constants, for tests of this and other modules.
#[cfg(test)]
pub(crate) fn class_with(classes: &[&str], texts: &[&str], strings: &[&str]) -> Vec<u8> {
    let mut pool = Vec::new();
    let mut next = 1u16;
    let mut utf8 = |pool: &mut Vec<u8>, text: &str| {
        pool.push(1);
        pool.extend_from_slice(&u16::try_from(text.len()).expect("short").to_be_bytes());
        pool.extend_from_slice(text.as_bytes());
        next += 1;
        next - 1
    };
    let mut references = Vec::new();
    for (tag, names) in [(7, classes), (8, strings)] {
        for name in names {
            references.push((tag, utf8(&mut pool, name)));
        }
    }
    for text in texts {
        utf8(&mut pool, text);
    }
    for (tag, index) in &references {
        pool.push(*tag);
        pool.extend_from_slice(&index.to_be_bytes());
    }
    // A long, which takes two places: a reader that does not know goes astray at the int behind it.
    pool.extend_from_slice(&[5, 0, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 0, 1]);
    let count = next + u16::try_from(references.len()).expect("short") + 3;
    let mut file = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61];
    file.extend_from_slice(&count.to_be_bytes());
    file.extend(pool);
    file.extend_from_slice(&[0, 0x21, 0, 1]);
    file
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refers(file: &[u8], package: &str) -> bool {
        ConstantPool::read(file).expect("a class file").refers_to(package)
    }

    #[test]
    fn a_superclass_and_a_parameter_count() {
        let by_class = class_with(&["jakarta/servlet/http/HttpServlet"], &[], &[]);
        assert!(refers(&by_class, "jakarta/servlet/"));
        assert!(!refers(&by_class, "javax/servlet/"));
        for descriptor in [
            "(Ljavax/servlet/ServletRequest;)V",
            "(ILjavax/servlet/ServletRequest;)V",
            "[Ljavax/servlet/Filter;",
            "Ljavax/servlet/annotation/WebServlet;",
            "<T::Ljavax/servlet/Servlet;>Ljava/lang/Object;",
            "Ljava/util/List<Ljavax/servlet/Servlet;>;",
            "(Ljava/lang/LONG;[[Ljavax/servlet/Servlet;)V",
        ] {
            assert!(
                refers(&class_with(&[], &[descriptor], &[]), "javax/servlet/"),
                "{descriptor}"
            );
        }
        assert!(refers(
            &class_with(&["[Ljavax/servlet/Filter;"], &[], &[]),
            "javax/servlet/"
        ));
    }

    #[test]
    fn a_mere_string_does_not_count() {
        for text in [
            "javax/servlet/Servlet",
            "Lost javax/servlet/",
            "Ljavax/servlet/ is a package",
            "see Ljavax/servlet/x;",
        ] {
            assert!(!refers(&class_with(&[], &[], &[text]), "javax/servlet/"), "{text}");
        }
    }

    #[test]
    fn string_constants_and_constant_fields_are_read() {
        let mut file = class_with(
            &["a/B"],
            &["ConstantValue", "PASSWORD", "Ljava/lang/String;"],
            &["x1", "x2"],
        );
        // Texts 1 to 3 belong to the references, 4 to 6 stand above, 7 is the class, 8 and 9 are the strings.
        file.truncate(file.len() - 4);
        for number in [0x21u16, 7, 7, 0, 1, 0x19, 5, 6, 1, 4, 0, 2, 9] {
            file.extend_from_slice(&number.to_be_bytes());
        }
        let pool = ConstantPool::read(&file).expect("a class file");
        assert_eq!(pool.major(), 61);
        assert_eq!(major_version(&file), Some(61));
        assert_eq!(pool.strings().collect::<Vec<_>>(), ["x1", "x2"]);
        assert_eq!(pool.constant_fields(), [("PASSWORD".into(), "x2".into())]);
        file.pop();
        let pool = ConstantPool::read(&file).expect("a class file");
        assert!(pool.constant_fields().is_empty());
        assert_eq!(major_version(b"PK"), None);
    }

    #[test]
    fn what_is_no_class_is_said() {
        assert_eq!(ConstantPool::read(b"PK").err(), Some(ClassFileError::Magic));
        let mut unknown = class_with(&[], &[], &[]);
        unknown[10] = 99;
        assert_eq!(ConstantPool::read(&unknown).err(), Some(ClassFileError::Tag(99)));
        let whole = class_with(&["a/B"], &["()V"], &["x"]);
        assert_eq!(
            ConstantPool::read(&whole[..whole.len() - 5]).err(),
            Some(ClassFileError::CutOff)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..300), count in any::<u16>()) {
            let mut file = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61];
            file.extend_from_slice(&count.to_be_bytes());
            file.extend(tail);
            if let Ok(pool) = ConstantPool::read(&file) {
                pool.refers_to("javax/servlet/");
                pool.constant_fields();
            }
        }

        #[test]
        fn nor_does_a_damaged_class(at in 0usize..200, byte in any::<u8>(), end in 0usize..200) {
            let mut file = class_with(&["javax/servlet/Servlet", "a/B"], &["(IJ)Ljavax/servlet/Filter;"], &["text"]);
            let at = at % file.len();
            file[at] = byte;
            file.truncate(end);
            if let Ok(pool) = ConstantPool::read(&file) {
                pool.refers_to("javax/servlet/");
                pool.constant_fields();
            }
        }
    }
}
