//! A server in this process, for tests that need the gateway itself.

use std::future;
use std::net::SocketAddr;

use throng::Gateway;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A listener, and its address.
pub(crate) fn listen(runtime: &Runtime) -> (TcpListener, SocketAddr) {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves a gateway for as long as the runtime is there.
pub(crate) fn serve(gateway: &Gateway) -> (Runtime, SocketAddr) {
    let runtime = Runtime::new().unwrap();
    let (listener, address) = listen(&runtime);
    runtime.spawn(throng::serve(listener, gateway.clone(), future::pending()));
    (runtime, address)
}
