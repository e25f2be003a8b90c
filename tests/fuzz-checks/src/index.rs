use preflight_model::index::Index;
use preflight_model::json::Place;

use crate::json::lies_in;

/// A weight index: what it says is what `serde_json` finds in it, sorted, and no shard leads out of the
/// repository.
pub fn index(text: &[u8]) {
    let theirs: Result<serde_json::Value, _> = serde_json::from_slice(text);
    let index = match Index::parse(text) {
        Ok(index) => index,
        Err(error) => {
            lies_in(&Place::of_offset(text, error.at, ""), text);
            return;
        }
    };
    let tensors: Vec<_> = index.tensors().collect();
    assert_eq!(tensors.len(), index.len());
    assert_eq!(tensors.is_empty(), index.is_empty());
    assert!(
        tensors.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "names are sorted, each once"
    );
    assert!(index.shards().windows(2).all(|pair| pair[0] < pair[1]));
    for (name, shard) in &tensors {
        assert_eq!(index.shard_of(name), Some(*shard));
        assert!(index.shards().iter().any(|known| known == shard));
    }
    for shard in index.shards() {
        assert!(!shard.starts_with('/') && !shard.contains('\\'), "{shard}");
        assert!(
            shard
                .split('/')
                .all(|part| !matches!(part, "" | "." | ".."))
        );
        assert!(!shard.chars().any(char::is_control), "{shard:?}");
    }
    let Ok(theirs) = theirs else { return };
    // Of two maps the later one counts, as in Python.
    let map = theirs["weight_map"]
        .as_object()
        .expect("a parsed index has a map");
    assert_eq!(map.len(), tensors.len());
    for (name, shard) in tensors {
        assert_eq!(
            map.get(name).and_then(|theirs| theirs.as_str()),
            Some(shard)
        );
    }
    if let Some(size) = theirs["metadata"]["total_size"].as_u64() {
        assert_eq!(index.total_size, Some(size));
    }
}
