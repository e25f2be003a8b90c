//! The hub as a program, for clients in other languages. Serves the folders of a root (see
//! `loopback_hub::folder`) until its input ends or it is stopped; the first line on stdout says where.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use loopback_hub::{Fault, LoopbackHub, Rule, folder};
use serde_json::json;

#[derive(Debug, Parser)]
#[command(
    name = "loopback-hub",
    about = "A stand-in for the Hugging Face Hub on 127.0.0.1"
)]
struct Args {
    /// Folder with `org/name`, `org/name@branch`, `datasets/org/name`
    #[arg(long)]
    root: PathBuf,
    /// Port of the hub, 0 for a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Milliseconds from every request to its answer
    #[arg(long, default_value_t = 0)]
    rtt_ms: u64,
    /// Entries of a page of the tree
    #[arg(long, default_value_t = 1000)]
    page_size: usize,
    /// A token, its user and the repositories it opens: `hf_x=alice:org/a,org/b`
    #[arg(long)]
    token: Vec<String>,
    /// A renamed repository: `old/name=new/name`
    #[arg(long)]
    rename: Vec<String>,
    /// Give large files the header fields of Xet
    #[arg(long)]
    xet: bool,
    /// Share of the requests that fail, in every way there is
    #[arg(long, default_value_t = 0.0)]
    fail: f64,
    /// Seed of the failures
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let hub = LoopbackHub::start_at(args.port)?;
    for repo in folder::read(&args.root)? {
        hub.add(repo);
    }
    for token in &args.token {
        let (token, who) = token.split_once('=').unwrap_or((token, "user"));
        let (user, grants) = who.split_once(':').unwrap_or((who, ""));
        let grants: Vec<&str> = grants.split(',').filter(|id| !id.is_empty()).collect();
        hub.token(token, user, &grants);
    }
    for (old, new) in args.rename.iter().filter_map(|pair| pair.split_once('=')) {
        hub.rename(old, new);
    }
    hub.set_page_size(args.page_size);
    hub.set_latency(Duration::from_millis(args.rtt_ms));
    hub.set_xet(args.xet);
    hub.set_seed(args.seed);
    if args.fail > 0.0 {
        hub.inject(Rule::any_of(Fault::every_kind()).probability(args.fail));
    }
    let addresses = json!({"hub": hub.endpoint(), "cdn": hub.cdn()});
    writeln!(io::stdout(), "{addresses}")?;
    // Whoever started us holds the other end: when it is gone, so are we.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
