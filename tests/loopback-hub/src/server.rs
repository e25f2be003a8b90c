//! Three listeners on one thread.

use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::control;
use crate::fault::Delivery;
use crate::http::Request;
use crate::state::{Host, State};

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    connections: AtomicU64,
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self {
            state: Mutex::new(state),
            connections: AtomicU64::new(0),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no answer panics")
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Listens at `port` of the loopback interface, 0 for any.
pub(crate) fn bind(port: u16) -> io::Result<StdListener> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Takes connections until the runtime ends.
pub(crate) async fn accept(
    listener: StdListener,
    host: Host,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        // A client that goes away in the middle is its own affair.
        tokio::spawn(async move {
            let _ = serve(stream, host, &shared).await;
        });
    }
}

async fn serve(stream: TcpStream, host: Host, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = shared.connections.fetch_add(1, Ordering::Relaxed);
    let mut stream = BufReader::new(stream);
    while let Some(request) = Request::read(&mut stream).await? {
        let control = control::answer(&mut shared.lock(), &request);
        if let Some(response) = control {
            response.send(&mut stream, response.length()).await?;
            continue;
        }
        let answer = shared.lock().answer(host, connection, &request);
        if !answer.delay.is_zero() {
            tokio::time::sleep(answer.delay).await;
        }
        let response = answer.response;
        let length = if request.is_head() {
            0
        } else {
            response.length()
        };
        match answer.delivery {
            Delivery::Whole => response.send(&mut stream, length).await?,
            Delivery::Reset => return stream.get_ref().set_zero_linger(),
            Delivery::Stall => return until_closed(&mut stream).await,
            Delivery::HalfThenStall => {
                response.send(&mut stream, length / 2).await?;
                return until_closed(&mut stream).await;
            }
            Delivery::HalfThenClose => return response.send(&mut stream, length / 2).await,
        }
        let wants_close = request.field("connection");
        if wants_close.is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    Ok(())
}

/// Waits for the client to give up.
async fn until_closed(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}
