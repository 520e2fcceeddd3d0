//! `throng serve`.

use std::env;
use std::error::Error;
use std::io;
use std::io::Write;
use std::num::NonZeroU32;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use throng::AuthRequest;
use throng::Authorization;
use throng::Disconnect;
use throng::Gateway;
use throng::Hub;
use throng::Layers;
use throng::Limits;
use throng::OutboxLimits;
use throng::server;
use throng::server::ServerConfig;
use throng::session::ClientPublish;
use throng::transport::sse::SseConfig;
use throng::transport::ws::Deflate;
use throng::transport::ws::Origins;
use throng::transport::ws::WsConfig;
use tokio::runtime;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::auth::Auth;
use crate::cli::Publishes;
use crate::cli::ServeOptions;
use crate::cli::SseOptions;
use crate::edge;
use crate::edge::Exposed;

/// Serves until it is told to stop.
pub(crate) fn run(options: ServeOptions) -> ExitCode {
    let filter = env::var("RUST_LOG").ok();
    let filter = filter.and_then(|filter| filter.parse::<Targets>().ok());
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(io::stderr))
        .with(filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN)))
        .init();
    if let Err(exposed) = edge::check(&options) {
        eprintln!("throng: {exposed}");
        return ExitCode::from(Exposed::STATUS);
    }
    match start(options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("throng: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(options: ServeOptions) -> Result<ExitCode, Box<dyn Error>> {
    // As many file descriptors as may be; where that fails, there are as many as there were.
    drop(rlimit::increase_nofile_limit(u64::MAX));
    let hub = hub(&options)?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(serve(options, hub))?;
    runtime.shutdown_background();
    Ok(code)
}

async fn serve(options: ServeOptions, hub: Hub) -> Result<ExitCode, Box<dyn Error>> {
    let origins = Origins::list(options.allow_origin.iter().map(String::as_str))?;
    let mut certificate = options.tls.certificate()?;
    let layers = options.layers.layers(&hub)?;
    let mut auth = options.auth.read(options.layers.data())?;
    auth.fetch().await;
    let listener = server::listen(options.listen, options.listen_backlog.get())
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let backlog = options.listen_backlog.get();
    let api = options.edge.api_listen.map(|address| {
        let listener = server::listen(address, backlog);
        listener.map_err(|error| format!("cannot listen on {address}: {error}"))
    });
    let api = api.transpose()?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Whoever started this reads the port from here; if nobody reads, that is no reason to stop.
    drop(writeln!(
        io::stdout(),
        "listening on {}://{}",
        certificate.scheme(),
        listener.local_addr()?
    ));
    if let Some(api) = &api {
        let (scheme, address) = (certificate.scheme(), api.local_addr()?);
        drop(writeln!(io::stdout(), "API on {scheme}://{address}"));
    }
    let mut told = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopping = async { drop(stopped.await) };
    let config = certificate.configure(config(&options)?);
    let gateway = gateway(&options, hub.clone(), layers.clone(), origins, &auth)?;
    let serving = async {
        match api {
            Some(api) => server::serve_apart(listener, api, gateway, config, stopping).await,
            None => server::serve(listener, gateway, config, stopping).await,
        }
    };
    let insisted = async {
        told().await;
        stop.send(()).ok();
        told().await;
    };
    let code = tokio::select! {
        () = serving => ExitCode::SUCCESS,
        () = insisted => ExitCode::FAILURE,
        never = auth.reload_when_told() => match never {},
        never = certificate.reload_when_told() => match never {},
    };
    hub.close(Disconnect::SHUTDOWN);
    layers.flush();
    Ok(code)
}

fn hub(options: &ServeOptions) -> Result<Hub, Box<dyn Error>> {
    let limits = Limits::new()
        .clients(options.max_clients.get())
        .payload(options.max_payload())
        .channels(options.max_channels.get())
        .channel_name(options.max_channel_name.get())
        .history_bytes(options.history.max_history_bytes.get())
        .members(options.max_members.get())
        .outbox_bytes(
            options
                .max_outbox_bytes
                .map_or(usize::MAX, NonZeroUsize::get),
        )
        .member_id(options.max_member_id.get())
        .backlog(options.max_channel_backlog.get())
        .subscriptions(options.max_subscriptions.get());
    let outbox = OutboxLimits::new()
        .messages(options.outbox_messages.get())
        .bytes(options.outbox_bytes.get());
    let mut builder = Hub::builder()
        .limits(limits)
        .outbox(outbox)
        .slow_consumer(options.slow_consumer);
    let histories = options.history.histories();
    if !histories.is_empty() {
        builder = builder.history(move |name| histories.of(name));
    }
    if options.insecure_trust_query_user {
        builder = builder.authorizer(|_: &AuthRequest| Authorization::Allow);
    }
    Ok(builder.build()?)
}

fn gateway(
    options: &ServeOptions,
    hub: Hub,
    layers: Layers,
    origins: Origins,
    auth: &Auth,
) -> Result<Gateway, Box<dyn Error>> {
    let ws = WsConfig::new()
        .deflate(options.deflate.map(|level| Deflate::new().level(level)))
        .max_frame(options.max_frame.unwrap_or(options.max_message).get())
        .flush_delay(options.flush_delay)
        .idle_timeout(options.ws_idle_timeout)
        .max_message(options.max_message.get())
        .ping_interval(options.ping_interval)
        .pong_timeout(options.pong_timeout)
        .write_timeout(options.write_timeout)
        .close_timeout(options.close_timeout);
    let builder = Gateway::builder(hub)
        .layers(layers)
        .sse(sse(options))
        .ws(ws)
        .client_publish(match options.client_publish {
            Some(Publishes::Allow) => ClientPublish::Allow,
            Some(Publishes::Permitted) => ClientPublish::Permitted,
            Some(Publishes::Refuse) => ClientPublish::Refuse,
            None if !edge::is_public(options) => ClientPublish::Allow,
            None => ClientPublish::Permitted,
        })
        .origins(origins)
        .gap_keys(options.gap_keys.into())
        .drain_window(options.drain_window)
        .reconnect_window(options.reconnect_window);
    let is_public = edge::is_public(options);
    let builder = options.limits.configure(builder, is_public);
    let builder = options.auth.configure(builder, auth);
    let mut builder = options.content.configure(builder)?;
    if options.insecure_trust_query_user {
        builder = builder.authenticate(server::trust_query_user);
    }
    Ok(builder.try_build()?)
}

fn sse(options: &ServeOptions) -> SseConfig {
    let SseOptions {
        sse_heartbeat,
        sse_max_body,
        sse_max_channels,
        sse_max_id,
        sse_retry,
        sse_write_timeout,
    } = options.sse;
    SseConfig::new()
        .heartbeat(sse_heartbeat)
        .max_body(sse_max_body.get())
        .max_channels(sse_max_channels.get())
        .max_id(sse_max_id.get())
        .retry(sse_retry)
        .write_timeout(sse_write_timeout)
}

fn config(options: &ServeOptions) -> Result<ServerConfig, Box<dyn Error>> {
    // Room for base64 of a payload, and for what is around it.
    let max_body = options.max_payload() / 3 * 4 + (64 << 10);
    let config = ServerConfig::new()
        .acceptors(options.acceptors)
        .body_timeout(options.body_timeout)
        .drain_timeout(options.drain_timeout)
        .head_timeout(options.head_timeout)
        .max_body(max_body)
        // Beyond the clients, room for requests: clients over the limit are told so.
        .max_connections(match options.max_connections {
            Some(connections) => connections.get(),
            None => options.max_clients.get().saturating_add(1024),
        })
        .max_head(options.max_head.get())
        .max_headers(options.max_headers.get())
        .max_streams(options.max_streams.get())
        .unsent_mark(NonZeroU32::new(options.unsent_mark))
        .write_timeout(options.write_timeout)
        .development(options.insecure_trust_query_user);
    let config = options.limits.connects(config);
    let authenticates = edge::has_authentication(options);
    let is_local = edge::is_loopback(options.listen);
    options.edge.configure(config, authenticates, is_local)
}
