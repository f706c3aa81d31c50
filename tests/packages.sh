# The packages that the build and the tests need, by Debian's names; Fedora's names are below. Sourced by tests/run and
# packaging/quickstart. COMMAND:PACKAGE is installed only where the command is missing: a newer node or Java that is
# already there is used, because Debian's might conflict with it.
build_packages=(g++ cmake ninja-build ccache pkg-config ca-certificates git
  librdkafka-dev libuv1-dev libre2-dev libzstd-dev libtomlplusplus-dev libprotozero-dev libsqlite3-dev
  libmariadb-dev libcurl4-openssl-dev libfmt-dev libcli11-dev libcpp-httplib-dev nlohmann-json3-dev
  libxxhash-dev libsimdjson-dev zlib1g-dev libbz2-dev npm:npm)
unit_packages=(libgtest-dev libgmock-dev)
test_packages=("${unit_packages[@]}" clang-tidy-19 clang-format-19 clang-19 libclang-rt-19-dev
  nginx-light mariadb-server sqlite3 curl python3 python3-aiosmtpd chromium
  protobuf-compiler python3-protobuf python3-zstandard
  java:default-jre-headless mvn:maven)

# Debian's name -> Fedora's name, where they differ.
declare -A dnf_names=([g++]=gcc-c++ [pkg-config]=pkgconf-pkg-config
  [librdkafka-dev]=librdkafka-devel [libuv1-dev]=libuv-devel [libre2-dev]=re2-devel [libzstd-dev]=libzstd-devel
  [libtomlplusplus-dev]=tomlplusplus-devel [libprotozero-dev]=protozero-devel [libsqlite3-dev]=sqlite-devel
  [libmariadb-dev]=mariadb-connector-c-devel [libcurl4-openssl-dev]=libcurl-devel [libfmt-dev]=fmt-devel
  [libcli11-dev]=cli11-devel [libcpp-httplib-dev]=cpp-httplib-devel [nlohmann-json3-dev]=json-devel
  [libxxhash-dev]=xxhash-devel [libsimdjson-dev]=simdjson-devel [zlib1g-dev]=zlib-devel [libbz2-dev]=bzip2-devel
  [libgtest-dev]=gtest-devel [libgmock-dev]=gmock-devel [clang-tidy-19]=clang-tools-extra [clang-format-19]=clang-tools-extra
  [clang-19]=clang [libclang-rt-19-dev]=compiler-rt [nginx-light]=nginx [sqlite3]=sqlite
  [python3-aiosmtpd]=python3-aiosmtpd [default-jre-headless]=java-latest-openjdk-headless)

# Prints those of its arguments that are not installed, by the name that this system's package manager knows.
missing_packages() {
  local wanted=() installed package dnf=
  command -v apt-get >/dev/null || ! command -v dnf >/dev/null || dnf=1
  for package in "$@"; do
    if [ "$package" != "${package#*:}" ] && command -v "${package%%:*}" >/dev/null; then continue; fi
    package=${package#*:}
    if [ -z "$dnf" ]; then
      wanted+=("$package")
    else
      package=${dnf_names[$package]-$package}
      rpm -q --whatprovides "$package" >/dev/null 2>&1 || echo "$package"
    fi
  done
  [ ${#wanted[@]} -gt 0 ] || return 0
  # One question for all of them: it takes as long as for one.
  installed=" $(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^installed //p' | tr '\n' ' ' || true)"
  for package in "${wanted[@]}"; do
    [[ $installed == *" $package "* ]] || echo "$package"
  done
}

# Installs those of its arguments that are missing. Services that packages bring are not started: the tests start their
# own, on loopback, with their own data.
install_packages() {
  local missing=() sudo=() status=0
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  echo "installing: ${missing[*]}" >&2
  if ! command -v apt-get >/dev/null && command -v dnf >/dev/null; then
    "${sudo[@]}" dnf install -y -q "${missing[@]}" >/dev/null && return 0
    echo "could not install: ${missing[*]} (dnf's messages are above; on RHEL and its relatives some are in EPEL and CRB)" >&2
    return 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  local policy=/usr/sbin/policy-rc.d made_policy=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
    "${sudo[@]}" chmod +x "$policy"
    made_policy=1
  fi
  { "${sudo[@]}" apt-get update -qq &&
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; } || status=$?
  [ -z "$made_policy" ] || "${sudo[@]}" rm -f "$policy"
  [ $status -eq 0 ] || echo "could not install: ${missing[*]} (apt's messages are above)" >&2
  return $status
}
