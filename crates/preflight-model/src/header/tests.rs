use super::*;

/// A file's first bytes: the prefix and `header`.
fn start(header: &str) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes
}

/// What is found in a file with this header and so many bytes of data.
fn parse(header: &str, data: u64) -> Result<Header<'static>, HeaderError> {
    let start: &'static [u8] = start(header).leak();
    Header::parse(start, Some(start.len() as u64 + data))
}

#[test]
fn a_sound_header() {
    let header = parse(
            r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[],"data_offsets":[24,26]}}"#,
            26,
        )
        .unwrap();
    assert_eq!(header.format.as_deref(), Some("pt"));
    assert_eq!(header.defects, [""; 0]);
    let tensors: Vec<_> = header
        .tensors()
        .map(|tensor| {
            (
                tensor.name,
                tensor.dtype,
                tensor.shape,
                tensor.bytes,
                tensor.elements(),
            )
        })
        .collect();
    assert_eq!(
        tensors,
        [
            ("a", Dtype::F32, &[2, 3][..], 24, 6),
            ("b", Dtype::BF16, &[], 2, 1)
        ]
    );
}

#[test]
fn every_defect_is_named() {
    let one = |tensor: &str| format!(r#"{{"a":{tensor}}}"#);
    for (header, data, says) in [
            (one(r#"{"dtype":"F32","shape":[2],"data_offsets":[0,4]}"#), 4, "needs 8 bytes"),
            (one(r#"{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#), 8, "leaves a hole"),
            (one(r#"{"dtype":"F32","shape":[1],"data_offsets":[4,0]}"#), 4, "before it starts"),
            (one(r#"{"dtype":"F99","shape":[1],"data_offsets":[0,4]}"#), 4, "unknown dtype `F99`"),
            (one(r#"{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}"#), 4, "overflows"),
            (one(r#"{"dtype":"F4","shape":[3],"data_offsets":[0,2]}"#), 2, "overflows"),
            (one(r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#), 3, "it was cut short"),
            (one(r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#), 5, "describes only"),
            (
                r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#.into(),
                3,
                "overlaps",
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#.into(),
                2,
                "stands twice",
            ),
            (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},}"#.into(), 1, "not strict JSON"),
        ] {
            let defects = parse(&header, data).unwrap().defects.join("; ");
            assert!(defects.contains(says), "{header} should say {says:?}: {defects}");
        }
}

#[test]
fn what_is_no_header_at_all() {
    let huge = u64::MAX.to_le_bytes();
    assert_eq!(
        Header::parse(&huge, Some(100)),
        Err(HeaderError::TooLong(u64::MAX))
    );
    assert_eq!(
        Header::parse(&[1, 2], Some(2)),
        Err(HeaderError::CutShort { needed: 8, size: 2 })
    );
    let long = 100_u64.to_le_bytes();
    assert_eq!(
        Header::parse(&long, Some(50)),
        Err(HeaderError::CutShort {
            needed: 108,
            size: 50
        })
    );
    assert_eq!(Header::parse(&long, Some(500)), Err(HeaderError::NotRead));
    for text in [
        "[]",
        r#"{"a":1}"#,
        r#"{"a":{}}"#,
        r#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#,
        r#"{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}"#,
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}"#,
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}"#,
        r#"{"__metadata__":{"format":1}}"#,
    ] {
        assert!(
            matches!(parse(text, 1), Err(HeaderError::NotAHeader(_))),
            "{text} is no header"
        );
    }
    let deep = format!(
        r#"{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":{}"#,
        "[".repeat(100_000)
    );
    assert!(matches!(parse(&deep, 1), Err(HeaderError::NotAHeader(_))));
}

#[test]
fn a_pointer_of_git_lfs_is_named_as_one() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:";
    let error = Header::parse(pointer, Some(134)).unwrap_err().to_string();
    assert!(error.contains("git-lfs pointer"), "{error}");
}

/// The reference implementation is the oracle: what it accepts has no defect here, what it refuses
/// has one, but for what it accepts silently (see `docs/how-it-decides.md`).
#[test]
fn agrees_with_the_reference_implementation() {
    use proptest::prelude::*;
    let tensor = (
        "[a-c]",
        0_usize..5,
        proptest::collection::vec(0_u64..4, 0..3),
        0_u64..40,
        0_u64..40,
    );
    let tensors = proptest::collection::vec(tensor, 0..4);
    proptest!(|(tensors in tensors)| {
        let dtypes = ["F32", "U8", "BF16", "F4", "NOPE"];
        let (mut at, mut text) = (0, Vec::new());
        for (name, dtype, shape, start, length) in &tensors {
            // Mostly sound layouts, so that both sides of the comparison are reached.
            let bits: u64 = [32, 8, 16, 4, 8][*dtype] * shape.iter().product::<u64>();
            let (start, end) = if *length > 3 { (at, at + bits / 8) } else { (*start, start + length) };
            at = end;
            text.push(format!(
                r#""{name}":{{"dtype":"{}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#,
                dtypes[*dtype]
            ));
        }
        let text = format!("{{{}}}", text.join(","));
        let mut names: Vec<_> = tensors.iter().map(|tensor| &tensor.0).collect();
        names.sort();
        names.dedup();
        prop_assume!(names.len() == tensors.len());
        let theirs: Result<safetensors::tensor::Metadata, _> = serde_json::from_str(&text);
        let bytes = start(&text);
        let ours = Header::parse(&bytes, None).is_ok_and(|header| header.defects.is_empty());
        prop_assert_eq!(ours, theirs.is_ok(), "{}", text);
    });
}
