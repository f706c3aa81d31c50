#include "proto/record.h"

namespace weir {

std::string_view ecs_name(Text field) {
  switch (field) {
    case Text::kClientAddress:
      return "source.address";
    case Text::kPeerAddress:
      return "weir.peer.address";
    case Text::kRemoteUser:
      return "user.name";
    case Text::kMethod:
      return "http.request.method";
    case Text::kPath:
      return "url.path";
    case Text::kQuery:
      return "url.query";
    case Text::kProtocol:
      return "nginx.access.protocol";
    case Text::kRequest:
      return "nginx.access.request";
    case Text::kHost:
      return "url.domain";
    case Text::kServerName:
      return "nginx.access.server_name";
    case Text::kScheme:
      return "url.scheme";
    case Text::kReferrer:
      return "http.request.referrer";
    case Text::kUserAgent:
      return "user_agent.original";
    case Text::kForwardedFor:
      return "nginx.access.x_forwarded_for";
    case Text::kRealIpHeader:
      return "nginx.access.x_real_ip";
    case Text::kUpstreamAddress:
      return "nginx.access.upstream.address";
    case Text::kUpstreamStatuses:
      return "nginx.access.upstream.statuses";
    case Text::kUpstreamTimes:
      return "nginx.access.upstream.times";
    case Text::kUpstreamCacheStatus:
      return "nginx.access.upstream.cache_status";
    case Text::kTlsProtocol:
      return "tls.version";
    case Text::kTlsCipher:
      return "tls.cipher";
    case Text::kRequestId:
      return "http.request.id";
    case Text::kCount:
      break;
  }
  return "";
}

std::string_view ecs_name(Number field) {
  switch (field) {
    case Number::kStatus:
      return "http.response.status_code";
    case Number::kBytesSent:
      return "http.response.bytes";
    case Number::kBodyBytesSent:
      return "http.response.body.bytes";
    case Number::kRequestBytes:
      return "http.request.bytes";
    case Number::kRequestTimeMs:
      return "nginx.access.request_time";
    case Number::kUpstreamTimeMs:
      return "nginx.access.upstream.response_time";
    case Number::kUpstreamConnectTimeMs:
      return "nginx.access.upstream.connect_time";
    case Number::kUpstreamHeaderTimeMs:
      return "nginx.access.upstream.header_time";
    case Number::kUpstreamStatus:
      return "nginx.access.upstream.status_code";
    case Number::kConnection:
      return "nginx.access.connection";
    case Number::kConnectionRequests:
      return "nginx.access.connection_requests";
    case Number::kPipe:
      return "nginx.access.pipelined";
    case Number::kCount:
      break;
  }
  return "";
}

}  // namespace weir
