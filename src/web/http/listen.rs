//! Accepts connections, plain or TLS, and passes them to the router. Their number is bounded, and so is
//! the time for each step of a request.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::peer::{ClientCertificate, Peer};
use crate::web::access::live_config::LiveWebConfig;

/// For the TLS handshake, and for the head of each request; so also the life of an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Write timeout: a client that reads nothing of an answer for this long is disconnected. Chosen: the
/// usual timeout of a scrape.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a stop waits for answers under way. Event streams never end by themselves.
const LINGER: Duration = Duration::from_secs(3);

/// Pause after a failed accept, usually for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves up to `connections` at a time until `shutdown`, then waits a moment for answers under way.
pub async fn serve(
    listener: TcpListener,
    connections: usize,
    security: Arc<LiveWebConfig>,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let slots = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
            Some(_) = tasks.join_next() => continue,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, address = ?listener.local_addr().ok(), "connection not accepted: tried again; if too many files are open, raise LimitNOFILE= of the service");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = Connection {
            address,
            security: Arc::clone(&security),
            router: router.clone(),
            watcher: graceful.watcher(),
        };
        tasks.spawn(async move {
            let _slot = slot;
            if let Err(error) = connection.run(stream).await {
                tracing::debug!(%address, %error, "connection ended");
            }
        });
    }
    // New connections are refused at once instead of waiting in the queue.
    drop(listener);
    if timeout(LINGER, graceful.shutdown()).await.is_err() {
        tracing::debug!("connections closed before their answers ended");
    }
    tasks.shutdown().await;
}

struct Connection {
    address: SocketAddr,
    security: Arc<LiveWebConfig>,
    router: Router,
    watcher: Watcher,
}

impl Connection {
    async fn run(self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let Some(config) = self.security.tls().await else {
            return self.answer(stream, None).await;
        };
        let (stream, certificate) = timeout(HEAD_TIMEOUT, handshake(config, stream))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake"))??;
        if !self.security.admits(certificate.as_ref()) {
            let error = "the client's certificate has none of client_allowed_sans";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, error));
        }
        self.answer(stream, certificate).await
    }

    async fn answer<S>(self, stream: S, certificate: Option<ClientCertificate>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Peer {
            address: self.address,
            certificate,
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(FETCH_TIMEOUT));
        let service = TowerToHyperService::new(self.router.layer(Extension(peer)));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        let watched = self.watcher.watch(connection);
        watched.await.map_err(io::Error::other)
    }
}

type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

/// A client that speaks plain HTTP fails here.
async fn handshake(
    config: Arc<ServerConfig>,
    stream: TcpStream,
) -> io::Result<(TlsStream, Option<ClientCertificate>)> {
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(<[_]>::first).map(ClientCertificate::of);
    Ok((stream, certificate))
}
