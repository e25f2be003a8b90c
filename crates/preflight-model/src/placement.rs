//! Which tensors the loader takes from which shard, looked up once: an index of 90,000 names is asked often.

use std::collections::BTreeMap;

use foldhash::HashMap;

use crate::header::{Header, Tensor};
use crate::index::Index;
use crate::weights::Shard;

/// Most tensors of an index that are looked up in a map, which takes some 10 MB then; the largest checkpoints have
/// 150,000. Of more, each is searched for.
const HASHED_MAX: usize = 200_000;

/// How an index and the shards that it names fit together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Placement {
    /// Tensors that lie in another shard than the index says, or in several, with the number of the shard
    /// that the loader takes them from.
    pub strays: BTreeMap<String, usize>,
    /// Tensors of the index that the header of their shard was read for and lacks, and no other shard has: their
    /// places in [`Index::tensors`].
    pub unfilled: Vec<usize>,
    /// For each shard and each of its tensors, as [`Header::tensors`] has them.
    places: Vec<Vec<Place>>,
}

/// Where a tensor of a shard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The loader takes it from here.
    Here,
    /// The loader takes the one of another shard.
    Elsewhere,
    /// The index does not name it.
    Unnamed,
}

impl Placement {
    /// `shards` are those that the index names, in its order.
    pub(crate) fn new(index: &Index<'_>, shards: &[Shard<'_>]) -> Self {
        let entries = || index.entries().enumerate();
        let by_name: Option<HashMap<&str, usize>> = (index.len() <= HASHED_MAX)
            .then(|| entries().map(|(at, (name, _))| (name, at)).collect());
        let position = |name: &str| match &by_name {
            Some(by_name) => by_name.get(name).copied(),
            None => index.position(name),
        };
        let mut is_filled = vec![false; index.len()];
        let mut strays: BTreeMap<&str, usize> = BTreeMap::new();
        let mut places: Vec<Vec<Place>> = Vec::with_capacity(shards.len());
        for (number, shard) in shards.iter().enumerate() {
            let place = |tensor: Tensor<'_>| {
                let Some(at) = position(tensor.name) else {
                    return Place::Unnamed;
                };
                is_filled[at] = true;
                if index.is_assigned(at, number) {
                    Place::Here
                } else {
                    Place::Elsewhere
                }
            };
            places.push(tensors(shard).map(place).collect());
            for (tensor, place) in tensors(shard).zip(&places[number]) {
                if *place == Place::Elsewhere {
                    strays.insert(tensor.name, number);
                }
            }
        }
        if !strays.is_empty() {
            settle(&mut strays, &mut places, shards);
        }
        let is_read = |number: usize| {
            let shard = shards.get(number);
            shard.is_some_and(|shard| shard.header.known().is_some())
        };
        let unfilled = entries()
            .filter(|&(at, (_, number))| !is_filled[at] && is_read(number))
            .map(|(at, _)| at)
            .collect();
        Self {
            strays: strays
                .into_iter()
                .map(|(name, number)| (name.to_owned(), number))
                .collect(),
            unfilled,
            places,
        }
    }

    /// The tensors that the loader takes from these shards.
    pub(crate) fn taken<'s>(&self, shards: &'s [Shard<'_>]) -> impl Iterator<Item = Tensor<'s>> {
        self.at(Place::Here, shards)
    }

    /// The tensors of these shards that the index does not name.
    pub(crate) fn unnamed<'s>(&self, shards: &'s [Shard<'_>]) -> impl Iterator<Item = Tensor<'s>> {
        self.at(Place::Unnamed, shards)
    }

    fn at<'s>(&self, wanted: Place, shards: &'s [Shard<'_>]) -> impl Iterator<Item = Tensor<'s>> {
        let places = shards.iter().zip(&self.places);
        places.flat_map(move |(shard, places)| {
            let pairs = tensors(shard).zip(places);
            pairs.filter_map(move |(tensor, place)| (*place == wanted).then_some(tensor))
        })
    }
}

fn tensors<'s>(shard: &'s Shard<'_>) -> impl Iterator<Item = Tensor<'s>> {
    shard.header.known().into_iter().flat_map(Header::tensors)
}

/// Of a tensor in several shards the last one counts, the one that the index names included.
fn settle(strays: &mut BTreeMap<&str, usize>, places: &mut [Vec<Place>], shards: &[Shard<'_>]) {
    for (number, shard) in shards.iter().enumerate() {
        for tensor in tensors(shard) {
            if let Some(last) = strays.get_mut(tensor.name) {
                *last = number.max(*last);
            }
        }
    }
    for (number, shard) in shards.iter().enumerate() {
        for (tensor, place) in tensors(shard).zip(&mut places[number]) {
            if let Some(last) = strays.get(tensor.name) {
                *place = if *last == number {
                    Place::Here
                } else {
                    Place::Elsewhere
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Fact;

    fn shard<'a>(path: &str, text: &'a [u8]) -> Shard<'a> {
        Shard {
            path: path.into(),
            size: None,
            header: Fact::Known(Header::parse(text, None).unwrap()),
        }
    }

    fn header(names: &[&str]) -> Vec<u8> {
        let tensors = names.iter().enumerate().map(|(at, name)| {
            format!(
                r#""{name}": {{"dtype": "U8", "shape": [1], "data_offsets": [{at}, {}]}}"#,
                at + 1
            )
        });
        let text = format!("{{{}}}", tensors.collect::<Vec<_>>().join(", "));
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }

    /// The same of an index that is looked up in a map and of one that is searched.
    #[test]
    fn what_each_shard_gives() {
        for more in [0, HASHED_MAX] {
            // Of a third shard, whose header was not read.
            let others = (0..more).map(|at| format!(r#""x{at}": "3""#));
            let assigned = ["a", "b", "gone"].map(|name| format!(r#""{name}": "1""#));
            let moved = [r#""c": "2""#.to_owned()];
            let map: Vec<_> = assigned.into_iter().chain(moved).chain(others).collect();
            let text = format!(r#"{{"weight_map": {{{}}}}}"#, map.join(", "));
            let index = Index::parse(text.as_bytes()).unwrap();
            let (first, second) = (header(&["a", "c", "stray"]), header(&["b", "a"]));
            let mut shards = vec![shard("1", &first), shard("2", &second)];
            if more > 0 {
                shards.push(Shard {
                    header: Fact::Absent,
                    ..shards[0].clone()
                });
            }
            let placement = Placement::new(&index, &shards);
            let names = |tensors: Vec<Tensor<'_>>| -> Vec<String> {
                tensors
                    .iter()
                    .map(|tensor| tensor.name.to_owned())
                    .collect()
            };
            // The later one of `a` counts.
            assert_eq!(names(placement.taken(&shards).collect()), ["c", "b", "a"]);
            assert_eq!(names(placement.unnamed(&shards).collect()), ["stray"]);
            let strays: Vec<_> = placement
                .strays
                .iter()
                .map(|(name, at)| (&**name, *at))
                .collect();
            assert_eq!(strays, [("a", 1), ("b", 1), ("c", 0)]);
            let unfilled = placement
                .unfilled
                .iter()
                .filter_map(|&at| index.assignment(at));
            assert_eq!(unfilled.collect::<Vec<_>>(), [("gone", "1")]);
        }
    }
}
