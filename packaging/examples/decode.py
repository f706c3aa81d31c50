#!/usr/bin/python3
"""Prints weir's batches as `weir-agent cat` does: one JSON object per line of a log. A starting point for readers in other languages.

    protoc --proto_path=proto --python_out=. proto/weir.proto     # weir_pb2.py; needs python3-protobuf, python3-zstandard
    weir-agent cat --config /etc/weir/agent.toml --messages | PYTHONPATH=. packaging/examples/decode.py
    kcat -C -b kafka1:9092 -t access -e -f '%R%s' | PYTHONPATH=. packaging/examples/decode.py

Reads messages from standard input, each preceded by its length (four bytes, big endian). Makes only those checks of
docs/reference/wire.md that bound memory; a reader of untrusted messages needs all of them. Apache-2.0, like the rest of weir."""

import codecs
import datetime
import itertools
import json
import socket
import struct
import sys

import google.protobuf.message
import weir_pb2
import zstandard

# Indexed by the field numbers of weir.proto, which also gives these names.
TEXT = dict(enumerate("""source.address weir.peer.address user.name http.request.method url.path url.query nginx.access.protocol nginx.access.request
url.domain nginx.access.server_name url.scheme http.request.referrer user_agent.original nginx.access.x_forwarded_for
nginx.access.x_real_ip nginx.access.upstream.address nginx.access.upstream.statuses nginx.access.upstream.times
nginx.access.upstream.cache_status tls.version tls.cipher http.request.id""".split()))
NUMBER = dict(enumerate("""http.response.status_code http.response.bytes http.response.body.bytes http.request.bytes nginx.access.request_time
nginx.access.upstream.response_time nginx.access.upstream.connect_time nginx.access.upstream.header_time
nginx.access.upstream.status_code nginx.access.connection nginx.access.connection_requests nginx.access.pipelined""".split()))
MILLISECONDS = {weir_pb2.REQUEST_TIME_MS, weir_pb2.UPSTREAM_TIME_MS, weir_pb2.UPSTREAM_CONNECT_TIME_MS, weir_pb2.UPSTREAM_HEADER_TIME_MS}
REASON = dict(enumerate(("the line does not fit the format", "no time that could be read", "longer than max_line", "NUL bytes")))

codecs.register_error("each byte", lambda error: ("\ufffd" * (error.end - error.start), error.end))


def text(value):
    return value.decode("utf-8", "each byte")


def check(good, what):
    if not good:
        raise ValueError(what)


def time(ms):
    if not -62135596800000 <= ms <= 253402300799999:  # outside the years 1 to 9999
        return {"weir.time_ms": ms}
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return {"@timestamp": at.isoformat(timespec="milliseconds") + "Z"}


def windows(batch):
    """Yields the rows of a batch of windows, then samples of lines that did not parse."""
    check(batch.windows_bytes <= 32 << 20 and zstandard.frame_content_size(batch.windows) == batch.windows_bytes, "the zstd frame has another size")
    told = weir_pb2.Windows.FromString(zstandard.ZstdDecompressor().decompress(batch.windows))
    check(0 < told.window_s <= 86400 and len(told.start_delta) <= 1 << 16, "larger than the limits")
    sites, at = [], 0
    for size in told.site_bytes:
        sites.append(text(told.sites[at:at + size]))
        at += size
    rows = len(told.start_delta)

    def column(name):
        values = list(getattr(told, name)) or [0] * rows  # a missing column has only zeros
        check(len(values) == rows, "a column does not have one entry per row")
        return values

    sums = {name: column(name) for name in ("requests", "bytes_sent", "flow_difference", "request_bytes", "request_time_ms", "upstream_time_ms")}
    sums["flow_bytes"] = [(sent + more) % 2**64 for sent, more in zip(sums["bytes_sent"], sums.pop("flow_difference"))]
    check(sum(sums["requests"]) + told.unparsed + told.filtered == batch.lines, "requests, unparsed and filtered lines do not add up")
    for i, (start, site, status) in enumerate(zip(itertools.accumulate(told.start_delta), column("site"), column("status"))):
        yield {"start_s": start * told.window_s, "window_s": told.window_s, "site": sites[site], "status": status, **{name: values[i] for name, values in sums.items()}}
    for bad in told.sample:
        yield unparsed(bad)


def unparsed(bad):
    reason = REASON.get(bad.reason, "a reason that this version does not know")
    return {**({"message": text(bad.text)} if bad.text else {}), "error.message": reason}


def planes(packed, count):
    """Reads `count` numbers from planes: the lowest byte of each, then the next byte of each, and so on."""
    check(len(packed) % count == 0 and packed if count else not packed, "a column does not have one entry per record")
    return [sum(byte << 8 * i for i, byte in enumerate(packed[at::count])) for at in range(count)]


def signed(zigzag):
    return zigzag >> 1 ^ -(zigzag & 1)


def put(records, name, column):
    """Adds a text column to its records."""
    strings, at, used = [], 0, 0
    for code in planes(column.string_code, column.strings):
        size = {0: 4, 1: 16}.get(code, code - 2)
        part = column.string_bytes[at:at + size]
        strings.append(text(part) if code > 1 else socket.inet_ntop(socket.AF_INET6 if code else socket.AF_INET, part))
        at += size
    for record, cell in zip(records, planes(column.cell, len(records))):
        if cell == 1:  # the next string that has not occurred yet
            record[name] = strings[used]
            used += 1
        elif cell > 1:
            record[name] = strings[cell - 2]


def lines(message):
    """Yields the objects of a batch in the order of the log; filtered lines have none."""
    batch = weir_pb2.Batch.FromString(message)
    check(batch.version == 2, f"version {batch.version} is not known")
    check(batch.kind in (weir_pb2.RECORDS, weir_pb2.HEARTBEAT, weir_pb2.LOSS, weir_pb2.WINDOWS), f"kind {batch.kind} is not known")
    if batch.kind == weir_pb2.WINDOWS:
        return list(windows(batch))
    if batch.kind != weir_pb2.RECORDS:
        return []
    check(batch.lines <= 1 << 20 and batch.columns_bytes <= 32 << 20, "larger than the limits")
    check(zstandard.frame_content_size(batch.columns) == batch.columns_bytes, "the zstd frame has another size")
    columns = weir_pb2.Columns.FromString(zstandard.ZstdDecompressor().decompress(batch.columns))
    check(sum(planes(columns.line_bytes, batch.lines)) == batch.end - batch.begin, "its lines are not its range")

    deltas = map(signed, planes(columns.time_delta_ms, columns.records))
    records = [time(ms) for ms in itertools.islice(itertools.accumulate(deltas, initial=columns.first_time_ms), 1, None)]
    texts = {column.field: column for column in columns.text}
    for column in (c for c in columns.text if c.field in TEXT):
        put(records, TEXT[column.field], texts[column.same_as] if column.HasField("same_as") else column)
    for column in columns.extra:
        put(records, "nginx.variable." + text(column.name), column)
    numbers = {}
    for column in (c for c in columns.number if c.field in NUMBER):
        cells = planes(column.cell, columns.records)
        if column.HasField("near"):  # cells are value + 1; an absent value of the other column counts as 0
            cells = [cell and (max(other, 1) + signed(cell - 1)) % 2**64 for cell, other in zip(cells, numbers[column.near])]
        numbers[column.field] = cells
        for record, cell in zip(records, cells):
            if cell > 0:
                record[NUMBER[column.field]] = (cell - 1) / 1000 if column.field in MILLISECONDS else cell - 1

    by_line, line = {}, -1
    for record, gap in zip(records, planes(columns.record_gap, columns.records) if columns.record_gap else itertools.repeat(0)):
        line += gap + 1
        by_line[line] = record
    for bad in columns.unparsed:
        by_line[bad.line] = unparsed(bad)
    check(len(by_line) + columns.filtered == batch.lines, "records, unparsed and filtered lines do not add up")
    return [by_line[line] for line in sorted(by_line)]


def main():
    bad = 0
    for number in itertools.count():
        head = sys.stdin.buffer.read(4)
        if len(head) < 4:
            sys.exit(3 if bad or head else 0)
        message = sys.stdin.buffer.read(struct.unpack(">I", head)[0])
        if not message.startswith(b"\rWEIR"):
            continue  # JSON from another shipper, or a raw line
        try:
            for line in lines(message):
                print(json.dumps(line))
        except (ValueError, IndexError, KeyError, OverflowError, zstandard.ZstdError, google.protobuf.message.DecodeError) as error:
            bad += 1
            print(f"message {number}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
