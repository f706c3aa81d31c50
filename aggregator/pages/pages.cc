#include "aggregator/pages/pages.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <future>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "aggregator/pages/api.h"
#include "aggregator/pages/assets.h"
#include "common/http_server.h"
#include "common/listen.h"

namespace weir {
namespace {

constexpr std::size_t kThreads = 8;
constexpr std::chrono::seconds kLookInterval{2};
constexpr std::chrono::seconds kFirstLook{2};

std::int64_t clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

const Asset* find_asset(std::string_view path) {
  for (const Asset& asset : assets()) {
    if (path == asset.path) return &asset;
  }
  return nullptr;
}

void send(httplib::Response& response, Answer answer) {
  response.status = answer.status;
  response.set_content(std::move(answer.body), answer.content_type.c_str());
}

}  // namespace

struct PagesServer::Impl {
  Impl(PagesConfig config, OpenStore open_store, std::function<EngineStatus()> engine,
       std::function<WarnerStatus()> warner)
      : api(std::move(config), std::move(open_store), std::move(engine), std::move(warner), clock_ms) {}

  void set_up() {
    set_up_http(server, kThreads, 4096);
    server.set_read_timeout(5, 0);
    server.set_write_timeout(10, 0);
    // Each connection occupies a thread. Do not keep one for a client that may never ask again.
    server.set_keep_alive_max_count(1);
    server.set_default_headers({{"Content-Security-Policy",
                                 "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
                                 "'none'; object-src 'none'"},
                                {"X-Content-Type-Options", "nosniff"},
                                {"X-Frame-Options", "DENY"},
                                {"Referrer-Policy", "no-referrer"},
                                {"Cache-Control", "no-cache"}});
    // Runs before the library's own routing, which matches regular expressions: hostile paths make those
    // slow.
    server.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      if (request.method != "GET" && request.method != "HEAD") {
        response.set_header("Allow", "GET, HEAD");
        send(response,
             error_answer(405, "only GET and HEAD are answered", "nothing can be changed over HTTP"));
      } else if (const Asset* asset = find_asset(request.path)) {
        response.status = 200;
        response.set_content(reinterpret_cast<const char*>(asset->bytes), asset->size, asset->content_type);
      } else {
        send(response, api.get(request.path, request.params));
      }
      return httplib::Server::HandlerResponse::Handled;
    });
    server.set_exception_handler(
        [](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
          send(response, error_answer(500, "the request could not be answered", "report this as a defect"));
        });
  }

  // Waits for the first answer of the store, so that the first client finds one, unless the store is slow.
  void watch_store() {
    std::promise<void> looked;
    auto first_look = looked.get_future();
    watcher = std::jthread([this, looked = std::move(looked)](const std::stop_token& stop) mutable {
      api.refresh_store_watch();
      looked.set_value();
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any wake;
      while (!wake.wait_for(lock, stop, kLookInterval, [&] { return stop.stop_requested(); }))
        api.refresh_store_watch();
    });
    first_look.wait_for(kFirstLook);
  }

  Api api;
  httplib::Server server;
  std::string url;
  std::atomic<bool> ended{false};
  std::thread thread;
  std::jthread watcher;
};

PagesServer::PagesServer() = default;

Result<std::unique_ptr<PagesServer>> PagesServer::start(PagesConfig config, OpenStore open_store,
                                                        std::function<EngineStatus()> engine,
                                                        std::function<WarnerStatus()> warner) {
  auto address = parse_listen(config.listen);
  if (!address) return fail(Code::kInvalid, "pages: " + address.error().what, address.error().hint);
  const std::string listen = config.listen;
  std::unique_ptr<PagesServer> out(new PagesServer());
  out->impl_ =
      std::make_unique<Impl>(std::move(config), std::move(open_store), std::move(engine), std::move(warner));
  Impl& impl = *out->impl_;
  impl.set_up();
  const auto port = bind_http(impl.server, *address);
  if (!port) {
    return fail(Code::kUnavailable, fmt::format("pages: cannot listen on {}: {}", listen, port.error().what),
                "stop what listens there (ss -ltnp shows it), or set another [pages] listen or --listen");
  }
  address->port = *port;
  impl.url = fmt::format("http://{}/", address->reachable_text());
  impl.watch_store();
  impl.thread = std::thread([&impl] {
    impl.server.listen_after_bind();
    impl.ended = true;
  });
  // stop() has no effect until the server is running.
  while (!impl.server.is_running() && !impl.ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return out;
}

PagesServer::~PagesServer() {
  if (!impl_ || !impl_->thread.joinable()) return;
  impl_->server.stop();
  impl_->thread.join();
}

std::string PagesServer::url() const { return impl_->url; }

}  // namespace weir
