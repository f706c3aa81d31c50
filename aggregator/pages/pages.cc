#include "aggregator/pages/pages.h"

#include <fmt/format.h>
#include <httplib.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <future>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "aggregator/pages/api.h"
#include "aggregator/pages/assets.h"

namespace weir {
namespace {

constexpr std::size_t kThreads = 8;
constexpr std::chrono::seconds kLookInterval{2};
constexpr std::chrono::seconds kFirstLook{2};

struct Address {
  std::string host;
  int port = 0;
};

// "127.0.0.1:8080", "[::1]:8080", ":8080" (every address of this machine).
Result<Address> parse_listen(const std::string& listen) {
  const auto wrong = [&] {
    return fail(Code::kInvalid, fmt::format("pages: \"{}\" is no address to listen on", listen),
                "write ADDRESS:PORT, 127.0.0.1:8080 or [::1]:8080");
  };
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos) return wrong();
  Address out;
  out.host = listen.substr(0, colon);
  if (out.host.size() >= 2 && out.host.front() == '[' && out.host.back() == ']') {
    out.host = out.host.substr(1, out.host.size() - 2);
  } else if (out.host.find(':') != std::string::npos) {
    return wrong();
  }
  if (out.host.empty()) out.host = "0.0.0.0";
  const char* begin = listen.data() + colon + 1;
  const char* end = listen.data() + listen.size();
  const auto [stopped, error] = std::from_chars(begin, end, out.port);
  if (error != std::errc() || stopped != end || begin == end || out.port < 0 || out.port > 65535)
    return wrong();
  return out;
}

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
    server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    // The library would set SO_REUSEPORT: two servers could share a port unnoticed.
    server.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    server.set_read_timeout(5, 0);
    server.set_write_timeout(10, 0);
    // A connection occupies a thread. None is kept for a reader that may never ask again.
    server.set_keep_alive_max_count(1);
    server.set_payload_max_length(4096);
    server.set_default_headers({{"Content-Security-Policy",
                                 "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
                                 "'none'; object-src 'none'"},
                                {"X-Content-Type-Options", "nosniff"},
                                {"X-Frame-Options", "DENY"},
                                {"Referrer-Policy", "no-referrer"},
                                {"Cache-Control", "no-cache"}});
    // Comes before the library's own routing, which matches regular expressions: hostile paths make
    // those slow.
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

  // Waits for the first look, so that the first reader gets an answer, unless the store is slow.
  void watch_store() {
    std::promise<void> looked;
    auto first_look = looked.get_future();
    watcher = std::jthread([this, looked = std::move(looked)](const std::stop_token& stop) mutable {
      api.look_at_store();
      looked.set_value();
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any wake;
      while (!wake.wait_for(lock, stop, kLookInterval, [&] { return stop.stop_requested(); }))
        api.look_at_store();
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
  const auto address = parse_listen(config.listen);
  if (!address) return std::unexpected(address.error());
  const std::string listen = config.listen;
  std::unique_ptr<PagesServer> out(new PagesServer());
  out->impl_ =
      std::make_unique<Impl>(std::move(config), std::move(open_store), std::move(engine), std::move(warner));
  Impl& impl = *out->impl_;
  impl.set_up();
  errno = 0;
  const int port = address->port == 0 ? impl.server.bind_to_any_port(address->host)
                   : impl.server.bind_to_port(address->host, address->port) ? address->port
                                                                            : -1;
  if (port <= 0) {
    const int reason = errno;
    return fail(Code::kUnavailable,
                fmt::format("pages: cannot listen on {}: {}", listen,
                            reason != 0 ? std::strerror(reason) : "the address is not of this machine"),
                "stop what listens there (ss -ltnp shows it), or set another [pages] listen or --listen");
  }
  const bool any = address->host == "0.0.0.0" || address->host == "::";
  const std::string host = any ? "127.0.0.1" : address->host;
  impl.url = host.find(':') == std::string::npos ? fmt::format("http://{}:{}/", host, port)
                                                 : fmt::format("http://[{}]:{}/", host, port);
  impl.watch_store();
  impl.thread = std::thread([&impl] {
    impl.server.listen_after_bind();
    impl.ended = true;
  });
  // stop() has no effect on a server that is not running yet.
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
