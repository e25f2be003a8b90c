//! The kinds of each part, with their settings.
//!
//! Source: `src/{normalizers,pre_tokenizers,processors,decoders}` and `src/utils/{padding,truncation}.rs` of
//! <https://github.com/huggingface/tokenizers/tree/v0.21.4/tokenizers>; 0.22.2 reads the same.

use super::parts::{Field, Kind, Want, kind, loose, may, must};

/// What becomes of a delimiter.
const BEHAVIORS: Want = Want::OneOf(&[
    "Removed",
    "Isolated",
    "MergedWithPrevious",
    "MergedWithNext",
    "Contiguous",
]);
const BYTE_LEVEL: Kind = kind(
    "ByteLevel",
    &[
        must("add_prefix_space", Want::Bool),
        must("trim_offsets", Want::Bool),
        may("use_regex", Want::Bool),
    ],
);
const METASPACE: Kind = kind(
    "Metaspace",
    &[
        must("replacement", Want::Char),
        may("add_prefix_space", Want::BoolOrNull),
        may("prepend_scheme", Want::OneOf(&["first", "never", "always"])),
        may("split", Want::BoolOrNull),
        may("str_rep", Want::TextOrNull),
    ],
);
const REPLACE: Kind = loose(
    "Replace",
    &[must("pattern", Want::Pattern), must("content", Want::Text)],
);

pub(super) const NORMALIZERS: &[Kind] = &[
    loose(
        "BertNormalizer",
        &[
            must("clean_text", Want::Bool),
            must("handle_chinese_chars", Want::Bool),
            may("strip_accents", Want::BoolOrNull),
            must("lowercase", Want::Bool),
        ],
    ),
    loose(
        "Strip",
        &[
            must("strip_left", Want::Bool),
            must("strip_right", Want::Bool),
        ],
    ),
    kind("StripAccents", &[]),
    kind("NFC", &[]),
    kind("NFD", &[]),
    kind("NFKC", &[]),
    kind("NFKD", &[]),
    loose("Sequence", &[must("normalizers", Want::Parts)]),
    kind("Lowercase", &[]),
    kind("Nmt", &[]),
    loose("Precompiled", &[must("precompiled_charsmap", Want::Text)]),
    REPLACE,
    loose("Prepend", &[must("prepend", Want::Text)]),
    kind("ByteLevel", &[]),
];

pub(super) const PRE_TOKENIZERS: &[Kind] = &[
    kind("BertPreTokenizer", &[]),
    BYTE_LEVEL,
    kind("CharDelimiterSplit", &[must("delimiter", Want::Char)]),
    METASPACE,
    kind("Whitespace", &[]),
    kind("Sequence", &[must("pretokenizers", Want::Parts)]),
    kind(
        "Split",
        &[
            must("pattern", Want::Pattern),
            must("behavior", BEHAVIORS),
            must("invert", Want::Bool),
        ],
    ),
    kind("Punctuation", &[may("behavior", BEHAVIORS)]),
    kind("WhitespaceSplit", &[]),
    kind("Digits", &[must("individual_digits", Want::Bool)]),
    kind("UnicodeScripts", &[]),
    kind("FixedLength", &[may("length", Want::Whole)]),
];

pub(super) const POST_PROCESSORS: &[Kind] = &[
    loose(
        "RobertaProcessing",
        &[
            must("sep", Want::Token),
            must("cls", Want::Token),
            must("trim_offsets", Want::Bool),
            must("add_prefix_space", Want::Bool),
        ],
    ),
    loose(
        "BertProcessing",
        &[must("sep", Want::Token), must("cls", Want::Token)],
    ),
    BYTE_LEVEL,
    loose(
        "TemplateProcessing",
        &[
            must("single", Want::Pieces),
            must("pair", Want::Pieces),
            must("special_tokens", Want::Tokens),
        ],
    ),
    kind("Sequence", &[must("processors", Want::Parts)]),
];

pub(super) const DECODERS: &[Kind] = &[
    loose("BPEDecoder", &[must("suffix", Want::Text)]),
    BYTE_LEVEL,
    loose(
        "WordPiece",
        &[must("prefix", Want::Text), must("cleanup", Want::Bool)],
    ),
    METASPACE,
    loose(
        "CTC",
        &[
            must("pad_token", Want::Text),
            must("word_delimiter_token", Want::Text),
            must("cleanup", Want::Bool),
        ],
    ),
    kind("Sequence", &[must("decoders", Want::Parts)]),
    REPLACE,
    kind("Fuse", &[]),
    loose(
        "Strip",
        &[
            must("content", Want::Char),
            must("start", Want::Whole),
            must("stop", Want::Whole),
        ],
    ),
    kind("ByteFallback", &[]),
];

pub(super) const TRUNCATION: &[Field] = &[
    may("direction", Want::OneOf(&["Left", "Right"])),
    must("max_length", Want::Whole),
    must(
        "strategy",
        Want::OneOf(&["LongestFirst", "OnlyFirst", "OnlySecond"]),
    ),
    must("stride", Want::Whole),
];

pub(super) const PADDING: &[Field] = &[
    must("strategy", Want::Strategy),
    must("direction", Want::OneOf(&["Left", "Right"])),
    may("pad_to_multiple_of", Want::WholeOrNull),
    must("pad_id", Want::Whole32),
    must("pad_type_id", Want::Whole32),
    must("pad_token", Want::Text),
];
