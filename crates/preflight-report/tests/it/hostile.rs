//! No word of a repository becomes markup, whichever it is and wherever it stands.

use std::collections::BTreeSet;

use preflight_report::{html, junit, markdown};
use preflight_rules::report::Report;
use pulldown_cmark::{Event, Options, Parser, Tag};
use quick_xml::Reader;
use quick_xml::events::Event as Node;

use crate::sample;

const ATTACKS: [&str; 11] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style></svg></title><base href=//evil>",
    "]]><!-- --><!DOCTYPE x>&amp;&#60;",
    "javascript:alert(1)",
    "`<b>` @root #1 !2 [a](https://evil) ![x](https://evil/x.png)",
    "|a|b|\\|`|<i>|",
    "```\n# heading\n~~~",
    "\u{202e}\u{0}\u{fffe}\u{ffff}\x1b[2J",
    "`",
];

type Write = fn(&Report, &mut dyn std::io::Write) -> std::io::Result<()>;

fn written(write: Write, report: &Report) -> String {
    let mut out = vec![];
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The elements and attributes of well-formed XML; panics where it is not.
fn structure(xml: &str) -> (BTreeSet<String>, Vec<(String, String)>) {
    let mut reader = Reader::from_str(xml);
    let (mut elements, mut attributes) = (BTreeSet::new(), vec![]);
    loop {
        match reader
            .read_event()
            .unwrap_or_else(|error| panic!("{error} in {xml}"))
        {
            Node::Eof => return (elements, attributes),
            Node::Start(tag) | Node::Empty(tag) => {
                elements.insert(tag.name().as_ref().to_owned());
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    let name = attribute.key.as_ref().to_owned();
                    let value = attribute.value.into_owned();
                    attributes.push((name, value));
                }
            }
            Node::Comment(comment) => panic!("a comment {comment:?}"),
            _ => {}
        }
    }
}

/// The elements, attribute names and addresses of a report are those of a harmless one.
fn check(text: &str) {
    let (harmless, hostile) = (sample::filled("a `word`"), sample::filled(text));
    for write in [html::write as Write, junit::write] {
        let (elements, attributes) = structure(&written(write, &harmless));
        let (found, with) = structure(&written(write, &hostile));
        assert!(found.is_subset(&elements), "{text:?}");
        let names = |all: &[(String, String)]| -> Vec<String> {
            all.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&with), names(&attributes), "{text:?}");
        let addresses = |all: Vec<(String, String)>| -> Vec<String> {
            let all = all.into_iter().filter(|(name, _)| name == "href");
            all.map(|(_, value)| value).collect()
        };
        assert_eq!(addresses(with), addresses(attributes), "{text:?}");
    }
    let page = written(markdown::write, &hostile);
    for event in Parser::new_ext(&page, Options::ENABLE_TABLES | Options::ENABLE_GFM) {
        match event {
            Event::Html(html) => assert!(
                [
                    "<details><summary>All options, by estimate, GiB of one GPU</summary>\n",
                    "</details>\n"
                ]
                .contains(&&*html),
                "{html} of {text:?}"
            ),
            Event::InlineHtml(_) | Event::Start(Tag::Link { .. } | Tag::Image { .. }) => {
                panic!("{event:?} of {text:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn attacks_stay_text() {
    for attack in ATTACKS {
        check(attack);
    }
}

#[test]
fn a_page_shows_what_it_was_given() {
    let page = written(html::write, &sample::filled("<b>&'\"`x`"));
    assert!(page.contains("<h2 id=\"name-1\">&lt;b&gt;&amp;&#39;&quot;`x`</h2>"));
    assert!(page.contains("<li>&lt;b&gt;&amp;&#39;&quot;<code>x</code>"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_stays_text(text in r"[-<>&'`/=!#@\[\]()|*_ ab\n\\]{1,30}|\PC{1,30}") {
        check(&text);
    }
}
