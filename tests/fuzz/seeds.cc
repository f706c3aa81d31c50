// Writes the seeds that are not text: fuzz_seeds tests/data/fuzz. Each run writes the same ones, except for
// the registry, which contains a new instance each time.
#include <sqlite3.h>
#include <zstd.h>

#include <cstdio>
#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <random>

#include "agent/tail/registry.h"
#include "proto/histogram.h"
#include "proto/wire.h"
#include "tests/unit/compressed.h"
#include "tests/unit/gzip.h"
#include "tests/unit/random_batch.h"
#include "tests/unit/temp_folder.h"

namespace weir::testing {
namespace {

std::string folder;

void write(const std::string& fuzzer, const std::string& name, const std::string& bytes) {
  std::filesystem::create_directories(folder + "/" + fuzzer);
  std::ofstream(folder + "/" + fuzzer + "/" + name, std::ios::binary | std::ios::trunc) << bytes;
}

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random());
  return out;
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void batches() {
  std::mt19937_64 random(1);
  BatchMaker maker([&](std::uint64_t below) { return random() % below; });
  BatchBuilder builder(19);
  for (const std::size_t lines : {0, 1, 5, 30}) {
    const auto message = encode(maker.batch(lines), builder).value();
    write("batch_fuzz", "lines_" + std::to_string(lines), message.substr(5));  // without its magic
  }
  BatchHeader header;
  header.kind = BatchKind::kHeartbeat;
  header.agent_id = "web1";
  header.watermark_ms = 1'790'000'000'000;
  write("batch_fuzz", "heartbeat", encode_heartbeat(header).value().substr(5));
}

void windows() {
  std::mt19937_64 random(3);
  BatchMaker maker([&](std::uint64_t below) { return random() % below; });
  LineFolder fold;
  for (const std::size_t lines : {1, 5, 60}) {
    auto made = maker.batch(lines);
    while (made.lines.empty()) made = maker.batch(lines);
    made.header.kind = BatchKind::kWindows;
    const auto folded = fold_lines(made, 0, made.lines.size(), {.max_spread_s = 600}, fold);
    const auto message = encode_windows(made.header, folded, 19).value();
    write("batch_fuzz", "windows_" + std::to_string(lines), message.substr(5));
    protozero::pbf_reader in(message);
    if (!in.next(wire::kWindowsField)) std::abort();
    const auto packed = in.get_view();
    std::string plain(ZSTD_getFrameContentSize(packed.data(), packed.size()), '\0');
    if (ZSTD_decompress(plain.data(), plain.size(), packed.data(), packed.size()) != plain.size())
      std::abort();
    std::string count(4, '\0');
    std::memcpy(count.data(), &folded.lines, count.size());
    write("windows_fuzz", "lines_" + std::to_string(lines), count + plain);
  }
}

void choices() {
  std::mt19937_64 random(2);
  for (const std::size_t size : {16, 300, 4000}) {
    const auto name = "random_" + std::to_string(size);
    write("batch_change_fuzz", name, random_bytes(random, size));
    write("coverage_fuzz", name, random_bytes(random, size / 4));
  }
}

void histograms() {
  Histogram histogram;
  write("histogram_fuzz", "empty", histogram.encode());
  for (std::uint64_t ms = 1; ms < 100'000; ms *= 3) histogram.add(ms, ms);
  write("histogram_fuzz", "some", histogram.encode());
}

void compressed() {
  const std::string text =
      "192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"\n";
  const std::string skippable("\x5e\x2a\x4d\x18\x05\0\0\0hello", 13);
  // The first four bytes are choices: the compression, the pieces, the room, and that the rest is already
  // compressed.
  const std::string_view pieces("\x10\x20\x01", 3);
  const auto bytes = [&](char compression, const std::string& rest) {
    return compression + std::string(pieces) + rest;
  };
  write("decompress_fuzz", "gzip", bytes(0, gzip(text) + gzip("") + std::string(20, '\0') + gzip(text)));
  write("decompress_fuzz", "zstd", bytes(1, zstd(text) + skippable + zstd("") + zstd(text + text)));
  write("decompress_fuzz", "zstd_window", bytes(1, zstd(text, 28)));
  write("decompress_fuzz", "bzip2", bytes(2, bzip2(text) + bzip2("") + std::string(20, '\0') + bzip2(text)));
  write("decompress_fuzz", "plain", std::string("\x01\x10\x20\0", 4) + text);
}

void registries() {
  const TempFolder state;
  {
    const auto registry = std::move(*Registry::open(state.path()));
    for (std::uint64_t i = 1; i <= 3; ++i) {
      RegistryEntry entry;
      entry.id.low = i;
      entry.path = "/l/access.log." + std::to_string(i);
      entry.input = "web";
      entry.inode = i;
      entry.acknowledged_offset = entry.size_bytes = 1000 * i;
      entry.tail_hash = "12345678";
      entry.state = {FileState::kActive, {}};
      registry->put(entry);
    }
    if (!registry->flush()) std::abort();
    write("registry_fuzz", "log", '\x01' + read(state / "registry-wal"));
  }
  // Small pages, so that a seed is small.
  sqlite3* database = nullptr;
  sqlite3_open((state / "registry").c_str(), &database);
  sqlite3_exec(database, "PRAGMA journal_mode=DELETE; PRAGMA page_size=512; VACUUM;", nullptr, nullptr,
               nullptr);
  write("registry_fuzz", "registry", '\0' + read(state / "registry"));
  sqlite3_exec(database, "UPDATE meta SET value='99' WHERE name='version'; VACUUM;", nullptr, nullptr,
               nullptr);
  write("registry_fuzz", "newer", '\0' + read(state / "registry"));
  // Reading it would never end.
  sqlite3_exec(database, "UPDATE meta SET value='1' WHERE name='version'", nullptr, nullptr, nullptr);
  for (const char* column :
       {"base", "line_hash", "birth_ns", "seen_ms", "sent_offset", "sent_tail_hash", "cuts", "routes"})
    sqlite3_exec(database, (std::string("ALTER TABLE source DROP COLUMN ") + column).c_str(), nullptr,
                 nullptr, nullptr);
  sqlite3_exec(database, "VACUUM", nullptr, nullptr, nullptr);
  write("registry_fuzz", "first_version", '\0' + read(state / "registry"));
  sqlite3_exec(database,
               "DROP TABLE source; UPDATE meta SET value='4' WHERE name='version';"
               "CREATE VIEW source AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)"
               " SELECT id, '' AS path, '' AS input, 0 AS device, 0 AS inode, 0 AS partition, 0 AS origin,"
               " 0 AS acknowledged_offset, 0 AS size_bytes, '' AS tail_hash, 0 AS last_acknowledged_ms,"
               " '' AS state, '' AS base, '' AS line_hash, 0 AS birth_ns, 0 AS seen_ms, 0 AS sent_offset,"
               " '' AS sent_tail_hash, '' AS cuts, '' AS routes FROM n; VACUUM;",
               nullptr, nullptr, nullptr);
  write("registry_fuzz", "endless", '\0' + read(state / "registry"));
  sqlite3_close(database);
}

}  // namespace
}  // namespace weir::testing

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  weir::testing::folder = arguments[1];
  weir::testing::batches();
  weir::testing::windows();
  weir::testing::choices();
  weir::testing::histograms();
  weir::testing::compressed();
  weir::testing::registries();
  return 0;
}
