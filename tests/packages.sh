# What the build and the tests need, as Debian names it. Sourced by tests/run and
# packaging/quickstart. COMMAND:PACKAGE is installed only when the command is not there: a
# newer node or Java of the machine's owner is welcome, and may conflict with Debian's.
build_packages=(g++ cmake ninja-build ccache pkg-config ca-certificates git
  librdkafka-dev libuv1-dev libre2-dev libzstd-dev libtomlplusplus-dev libprotozero-dev libsqlite3-dev
  libmariadb-dev libcurl4-openssl-dev libfmt-dev libcli11-dev libcpp-httplib-dev nlohmann-json3-dev
  libxxhash-dev libsimdjson-dev zlib1g-dev libbz2-dev npm:npm)
test_packages=(libgtest-dev libgmock-dev clang-tidy-19 clang-format-19 clang-19 libclang-rt-19-dev
  nginx-light mariadb-server sqlite3 curl python3 python3-aiosmtpd chromium
  java:default-jre-headless mvn:maven)

# Installs those of its arguments that are missing. Services that packages bring are not
# started: the tests start their own, on loopback, with their own data.
install_packages() {
  local missing=() package sudo=()
  for package in "$@"; do
    if [ "$package" != "${package#*:}" ] && command -v "${package%%:*}" >/dev/null; then continue; fi
    package=${package#*:}
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then sudo=(sudo); fi
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local policy=/usr/sbin/policy-rc.d made_policy=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
    "${sudo[@]}" chmod +x "$policy"
    made_policy=1
  fi
  "${sudo[@]}" apt-get update -qq &&
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  local status=$?
  [ -n "$made_policy" ] && "${sudo[@]}" rm -f "$policy"
  [ $status -eq 0 ] || echo "could not install: ${missing[*]} (see apt's lines above)" >&2
  return $status
}
