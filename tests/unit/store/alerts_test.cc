// Alerts, their history, the outbox, leases.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "tests/unit/store/store_fixture.h"

namespace weir {
namespace {

using testing::Backend;
using testing::commit_of;
using ::testing::HasSubstr;
using testing::kPartition;
using testing::mysql_config;
using testing::sum_of;
using testing::TempFolder;
using testing::total_requests;

class AlertsTest : public testing::StoreTest {};

TEST_P(AlertsTest, OfTwoThatAskForALeaseOneHasIt) {
  const auto other = open();
  EXPECT_TRUE(store().lease("warn", "one", 1000, 500).value());
  EXPECT_FALSE(other->lease("warn", "two", 1499, 500).value());
  EXPECT_TRUE(other->lease("expire", "two", 1499, 500).value()) << "another lease";
  EXPECT_TRUE(store().lease("warn", "one", 1499, 500).value()) << "renewed until 1999";
  EXPECT_FALSE(other->lease("warn", "two", 1998, 500).value());
  EXPECT_TRUE(other->lease("warn", "two", 1999, 500).value()) << "it ran out";
  EXPECT_FALSE(store().lease("warn", "one", 2000, 500).value()) << "who slept past the end asks again";
  EXPECT_FALSE(store().lease("warn", "one", 2000, 0).value()) << "only the owner gives it up";
  EXPECT_TRUE(other->lease("warn", "two", 2000, 0).value());
  EXPECT_TRUE(store().lease("warn", "one", 2000, 500).value()) << "given up";
}

TEST_P(AlertsTest, ALeaseThatManyAskForAtOnceHasOneOwner) {
  std::vector<std::thread> threads;
  std::atomic<int> owners = 0;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      const auto own = open();
      const auto taken = own->lease("warn", "owner" + std::to_string(i), 1000, 500);
      EXPECT_TRUE(taken.has_value()) << taken.error().what;
      if (taken && *taken) ++owners;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(owners, 1);
}

TEST_P(AlertsTest, TheHistoryOfAlertsIsReadNewestFirst) {
  const AlertEvent fired{0, 100, "flood", "shop.example", AlertPhase::kFiring, 12.5, "critical", "too much"};
  auto cleared = fired;
  cleared.at_s = 160;
  cleared.phase = AlertPhase::kOk;
  ASSERT_TRUE(store().save_alerts({.events = {fired, fired}}));
  ASSERT_TRUE(store().save_alerts({.events = {cleared}}));
  const auto all = store().history(0, 1000, 10).value();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].phase, AlertPhase::kOk);
  EXPECT_EQ(all[0].at_s, 160);
  EXPECT_EQ(all[1].text, "too much");
  EXPECT_EQ(all[1].severity, "critical");
  EXPECT_EQ(all[1].value, 12.5);
  EXPECT_GT(all[1].id, all[2].id);
  EXPECT_EQ(store().history(0, 160, 10)->size(), 2U);
  EXPECT_EQ(store().history(101, 161, 10)->size(), 1U);
  EXPECT_EQ(store().history(0, 1000, 2)->size(), 2U);
}

TEST_P(AlertsTest, TheHistoryOfAlertsForgetsWhatIsOldAndWhatIsTooMuch) {
  const auto event = [](std::int64_t at_s) {
    return AlertEvent{0, at_s, "flood", "", AlertPhase::kFiring, 1, "critical", "too much"};
  };
  ASSERT_TRUE(store().save_alerts({.events = {event(0), event(1)}}));
  ASSERT_TRUE(store().save_alerts({.events = {event(kKeepAlertEventsSeconds + 1)}}));
  EXPECT_EQ(store().history(0, 10, 10)->size(), 1U) << "400 days before the newest are kept";
  // As many again as are kept, inserted by SQL for speed.
  sql(
      fmt::format("INSERT INTO alert_history(at_s, id, rule_name, subject, state, value_text, severity, "
                  "description) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
                  "SELECT 100 + i, 1000 + i, 'flood', '', 'ok', '1', 'critical', '' FROM n",
                  GetParam() == Backend::kSqlite ? kMaxAlertEvents : 1000));
  if (GetParam() == Backend::kMysql) return;  // it limits recursion to 1000 rows
  ASSERT_TRUE(store().save_alerts({.events = {event(kKeepAlertEventsSeconds + 2)}}));
  EXPECT_EQ(number(sql("SELECT COUNT(*) FROM alert_history")[0][0]), std::int64_t{kMaxAlertEvents});
  EXPECT_EQ(store().history(0, 103, 10)->size(), 0U) << "the oldest went";
}

TEST_P(AlertsTest, AMailIsClaimedByOneUntilItsLeaseEnds) {
  Letter mail;
  mail.channel = "mail";
  mail.address = "ops@example.org";
  mail.payload = "line\r\n\xC3\xA4";
  mail.created_ms = mail.next_try_ms = 1000;
  auto later = mail;
  later.next_try_ms = 9'000'000;
  ASSERT_TRUE(store()
                  .save_alerts({.states = {{"busy", "shop.example", AlertPhase::kFiring, 60, 12.5}},
                                .letters = {mail, later}})
                  .has_value());
  const auto alerts = store().alerts().value();
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts.front().phase, AlertPhase::kFiring);
  EXPECT_EQ(alerts.front().value, 12.5);
  EXPECT_EQ(store().letters_waiting().value()["mail"], 2U);

  const auto other = open();
  auto mine = store().claim_letters("mail", 1000, 500, 10).value();
  ASSERT_EQ(mine.size(), 1U);
  EXPECT_EQ(mine.front().payload, mail.payload);
  EXPECT_TRUE(other->claim_letters("mail", 1400, 500, 10).value().empty());
  EXPECT_EQ(other->claim_letters("mail", 1501, 500, 10).value().size(), 1U);
  ASSERT_TRUE(other->letter_failed(mine.front().id, 5000, "refused").has_value());
  EXPECT_TRUE(store().claim_letters("mail", 4999, 500, 10).value().empty());
  mine = store().claim_letters("mail", 5000, 500, 10).value();
  ASSERT_EQ(mine.size(), 1U);
  EXPECT_EQ(mine.front().attempts, 1U);
  EXPECT_EQ(mine.front().last_error, "refused");
  ASSERT_TRUE(store().letter_delivered(mine.front().id).has_value());
  EXPECT_EQ(store().letters_waiting().value()["mail"], 1U);

  ASSERT_TRUE(
      store()
          .save_alerts({.states = {{"busy", "shop.example", AlertPhase::kOk, 120, 0.25}}, .letters = {mail}})
          .has_value());
  EXPECT_EQ(store().alerts()->front().phase, AlertPhase::kOk);
  EXPECT_NE(store().claim_letters("mail", 6000, 500, 10)->front().id, mine.front().id)
      << "ids are never used again";
}

INSTANTIATE_TEST_SUITE_P(Sqlite, AlertsTest, ::testing::Values(Backend::kSqlite));
INSTANTIATE_TEST_SUITE_P(Mysql, AlertsTest, ::testing::Values(Backend::kMysql));

}  // namespace
}  // namespace weir
