use preflight_model::header::{Header, HeaderError};
use safetensors::tensor::Metadata;

/// The text of a safetensors header: it is sound exactly where the reference implementation reads it,
/// and then both see the same tensors.
pub fn header(text: &[u8]) {
    let mut start = (text.len() as u64).to_le_bytes().to_vec();
    start.extend_from_slice(text);
    let header = match Header::parse(&start, None) {
        Ok(header) => header,
        Err(HeaderError::NotAHeader(why)) => {
            let theirs: Result<Metadata, _> = serde_json::from_slice(text);
            let known = is_refused_by_us_only(&why);
            assert!(known || theirs.is_err(), "only we refuse it: {why}");
            return;
        }
        // Larger than what is read: whether it is sound is not said.
        Err(HeaderError::TooMuch(_)) => return,
        Err(other) => panic!("prefix and header are whole: {other:?}"),
    };
    let mut names = 0;
    for tensor in header.tensors() {
        names += 1;
        // Checked while parsing: the product fits, and so do the bytes.
        let bits = tensor.elements().checked_mul(tensor.dtype.bitsize() as u64);
        assert!(bits.is_some_and(|bits| bits % 8 == 0), "{tensor:?}");
    }
    assert_eq!(names, header.len());
    assert_eq!(names == 0, header.is_empty());
    assert!(header.described_bytes >= start.len() as u64);
    assert!(header.left_out == 0 || !header.defects.is_empty());

    let theirs: Result<Metadata, _> = serde_json::from_slice(text);
    match theirs {
        // Of two tensors of one name it keeps one, and which is chance; for us they are a defect.
        Ok(theirs) if theirs.tensors().len() < header.len() + header.left_out => {
            assert!(!header.defects.is_empty(), "a name that stands twice");
        }
        Ok(theirs) => {
            assert_eq!(header.defects, [""; 0]);
            same(&header, &theirs);
        }
        Err(error) => assert!(!header.defects.is_empty(), "only we read it: {error}"),
    }
    // A file of exactly the described size has no defect more; one byte less has.
    let described = header.described_bytes;
    let sound = Header::parse(&start, Some(described)).expect("the header is the same");
    assert_eq!(sound.defects, header.defects);
    if described > start.len() as u64 {
        let cut = Header::parse(&start, Some(described - 1)).expect("the header is the same");
        assert!(!cut.defects.is_empty());
    }
}

/// What the reference implementation reads by an accident of `serde`, and nobody writes: a tensor as a list
/// of its three fields, a dtype as `{"F32": null}`. And more dimensions than `PyTorch` has.
fn is_refused_by_us_only(why: &str) -> bool {
    [
        "an object was expected",
        "a string was expected",
        "more than 64 dimensions",
    ]
    .iter()
    .any(|known| why.starts_with(known))
}

fn same(header: &Header<'_>, theirs: &Metadata) {
    let tensors = theirs.tensors();
    assert_eq!(tensors.len(), header.len());
    for tensor in header.tensors() {
        let info = tensors[tensor.name];
        assert_eq!(info.dtype, tensor.dtype);
        let shape: Vec<u64> = info.shape.iter().map(|&size| size as u64).collect();
        assert_eq!(shape, tensor.shape);
        let (start, end) = info.data_offsets;
        assert_eq!((end - start) as u64, tensor.bytes);
    }
    let metadata = theirs.metadata().as_ref();
    assert_eq!(metadata.is_some(), header.has_metadata);
    let format = metadata.and_then(|metadata| metadata.get("format"));
    assert_eq!(format, header.format.as_ref());
}
