"""Kafka for the tests: librdkafka through ctypes, so that a test can write any bytes and inspect a topic without our programs."""

import ctypes
import time

_kafka = ctypes.CDLL("librdkafka.so.1")
_PRODUCER, _CONSUMER = 0, 1
_TIMED_OUT, _EOF = -185, -191
_V_END, _V_PARTITION, _V_VALUE, _V_KEY, _V_TOPIC, _V_FLAGS, _F_COPY = 0, 3, 4, 5, 1, 7, 2


class _Message(ctypes.Structure):
    _fields_ = [("err", ctypes.c_int), ("topic", ctypes.c_void_p), ("partition", ctypes.c_int32), ("payload", ctypes.c_void_p),
                ("length", ctypes.c_size_t), ("key", ctypes.c_void_p), ("key_length", ctypes.c_size_t), ("offset", ctypes.c_int64),
                ("private", ctypes.c_void_p)]


class _Partition(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int32), ("err", ctypes.c_int), ("leader", ctypes.c_int32), ("replica_count", ctypes.c_int),
                ("replicas", ctypes.POINTER(ctypes.c_int32)), ("in_sync_count", ctypes.c_int), ("in_sync", ctypes.POINTER(ctypes.c_int32))]


class _Topic(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("partition_count", ctypes.c_int), ("partitions", ctypes.POINTER(_Partition)), ("err", ctypes.c_int)]


class _Metadata(ctypes.Structure):
    _fields_ = [("broker_count", ctypes.c_int), ("brokers", ctypes.c_void_p), ("topic_count", ctypes.c_int),
                ("topics", ctypes.POINTER(_Topic)), ("asked_id", ctypes.c_int32), ("asked_name", ctypes.c_char_p)]


for _name, _result in {"rd_kafka_conf_new": ctypes.c_void_p, "rd_kafka_new": ctypes.c_void_p, "rd_kafka_err2str": ctypes.c_char_p,
                       "rd_kafka_topic_partition_list_new": ctypes.c_void_p, "rd_kafka_consumer_poll": ctypes.POINTER(_Message),
                       "rd_kafka_topic_partition_list_add": ctypes.c_void_p, "rd_kafka_topic_new": ctypes.c_void_p}.items():
    getattr(_kafka, _name).restype = _result


class _Client:
    def __init__(self, kind, brokers, properties):
        conf, why = ctypes.c_void_p(_kafka.rd_kafka_conf_new()), ctypes.create_string_buffer(512)
        for name, value in {"bootstrap.servers": brokers, "log_level": 2, **properties}.items():
            if _kafka.rd_kafka_conf_set(conf, name.encode(), str(value).encode(), why, len(why)) != 0:
                raise ValueError(why.value.decode())
        self._client = ctypes.c_void_p(_kafka.rd_kafka_new(kind, conf, why, len(why)))
        if not self._client:
            raise ValueError(why.value.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _kafka.rd_kafka_destroy(self._client)

    def described(self, topic):
        """[(leader, replicas in sync)] of its partitions as some broker sees them; -1: no leader. None: no broker answers."""
        found = ctypes.POINTER(_Metadata)()
        handle = ctypes.c_void_p(_kafka.rd_kafka_topic_new(self._client, topic.encode(), None))
        error = _kafka.rd_kafka_metadata(self._client, 0, handle, ctypes.byref(found), 5000)
        _kafka.rd_kafka_topic_destroy(handle)
        if error:
            return None
        described = found.contents.topics[0]
        partitions = sorted((p.id, p.leader, {p.in_sync[i] for i in range(p.in_sync_count)})
                            for p in described.partitions[:described.partition_count])
        _kafka.rd_kafka_metadata_destroy(found)
        return [(leader, in_sync) for _, leader, in_sync in partitions]

    def end(self, topic, partition, timeout_s=60):
        """(first, next) offset of the partition, according to its leader."""
        low, high = ctypes.c_int64(), ctypes.c_int64()
        deadline = time.monotonic() + timeout_s
        while (error := _kafka.rd_kafka_query_watermark_offsets(self._client, topic.encode(), ctypes.c_int32(partition), ctypes.byref(low),
                                                                ctypes.byref(high), 5000)):
            if time.monotonic() > deadline:
                raise TimeoutError(_kafka.rd_kafka_err2str(error).decode())
        return low.value, high.value


class Producer(_Client):
    def __init__(self, brokers, **properties):
        super().__init__(_PRODUCER, brokers, {"linger.ms": 0, "message.max.bytes": 8_000_000, **properties})

    def send(self, topic, partition, payload, key=b"key"):
        """payload None: a tombstone. Messages keep their order, and are stored once flush() returns."""
        error = _kafka.rd_kafka_producev(
            self._client, ctypes.c_int(_V_TOPIC), ctypes.c_char_p(topic.encode()), ctypes.c_int(_V_PARTITION), ctypes.c_int32(partition),
            ctypes.c_int(_V_FLAGS), ctypes.c_int(_F_COPY), ctypes.c_int(_V_VALUE), ctypes.c_char_p(payload),
            ctypes.c_size_t(len(payload or b"")), ctypes.c_int(_V_KEY), ctypes.c_char_p(key), ctypes.c_size_t(len(key)),
            ctypes.c_int(_V_END))
        if error:
            raise OSError(_kafka.rd_kafka_err2str(error).decode())

    def flush(self):
        if _kafka.rd_kafka_flush(self._client, 60_000) != 0:
            raise TimeoutError("Kafka did not take what was sent within 60 s")


class Consumer(_Client):
    """Reads whole partitions, without a group."""

    def __init__(self, brokers, **properties):
        super().__init__(_CONSUMER, brokers, {"group.id": "a-test-that-looks", "enable.auto.commit": "false",
                                              "auto.offset.reset": "error", "enable.partition.eof": "true",
                                              "isolation.level": "read_committed", **properties})
        _kafka.rd_kafka_poll_set_consumer(self._client)

    def messages(self, topic, partition, timeout_s=120):
        """(offset, key, payload) of everything that the partition now holds."""
        low, high = self.end(topic, partition)
        if low == high:
            return
        wanted = ctypes.c_void_p(_kafka.rd_kafka_topic_partition_list_new(1))
        entry = _kafka.rd_kafka_topic_partition_list_add(wanted, topic.encode(), ctypes.c_int32(partition))
        # rd_kafka_topic_partition_t: char *topic; int32_t partition; int64_t offset; ...
        ctypes.c_int64.from_address(entry + 16).value = low
        _kafka.rd_kafka_assign(self._client, wanted)
        _kafka.rd_kafka_topic_partition_list_destroy(wanted)
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                pointer = _kafka.rd_kafka_consumer_poll(self._client, 500)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{topic} {partition} was not read to {high} within {timeout_s} s")
                if not pointer:
                    continue
                message = pointer.contents
                error, offset = message.err, message.offset
                found = None
                if error == 0:
                    deadline = time.monotonic() + timeout_s
                    found = (offset, ctypes.string_at(message.key, message.key_length) if message.key else None,
                             ctypes.string_at(message.payload, message.length) if message.payload else None)
                _kafka.rd_kafka_message_destroy(pointer)
                if found and offset < high:
                    yield found
                if (found and offset + 1 >= high) or error == _EOF:
                    return
        finally:
            _kafka.rd_kafka_assign(self._client, None)

    def __exit__(self, *_):
        _kafka.rd_kafka_consumer_close(self._client)
        super().__exit__()
