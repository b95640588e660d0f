#include "objects.hpp"

#include <optional>

using namespace ckpt;
using namespace ckpt::test;

namespace {

void write_two(const std::filesystem::path& file) {
  Box root;
  root.add("v1", 1);
  root.add("v2", 2);
  Checkpoint{root}.write(file, quick());
}

}  // namespace

TEST_CASE("one warning names what was never used", "[graph][status][testPartialRestoreWarningAttribute]") {
  TempDir dir;
  write_two(dir / "a.ckpt");
  LogCapture log;
  {
    Box root;
    auto v2 = root.add("v2", 0);
    Checkpoint checkpoint{root};
    checkpoint.read(dir / "a.ckpt");
    CHECK(v2.value() == 2);
    CHECK(log.warnings.empty());
  }
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings[0], "v1"));
  CHECK(!contains(log.warnings[0], "v2"));
  CHECK(contains(log.warnings[0], "expect_partial()"));
  CHECK(contains(log.warnings[0], "a.ckpt"));
}

TEST_CASE("expect_partial silences the warning and nothing else", "[graph][status][testSilencePartialWarning]") {
  TempDir dir;
  write_two(dir / "a.ckpt");
  LogCapture log;
  {
    Box root;
    root.add("v2", 0);
    Checkpoint checkpoint{root};
    const auto status = checkpoint.read(dir / "a.ckpt");
    status.expect_partial();
    CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, status.assert_consumed());
    CHECK(error.details().object == "v1");
    CHECK_NOTHROW(status.assert_existing_objects_matched());
  }
  CHECK(log.warnings.empty());
}

TEST_CASE("no warning when all was used, or when restoring failed", "[graph][status]") {
  TempDir dir;
  write_two(dir / "a.ckpt");
  LogCapture log;
  {
    Box root;
    Checkpoint checkpoint{root};
    checkpoint.read(dir / "a.ckpt");
    root.add("v1", 0);
    root.add("v2", 0);
    CHECK(log.warnings.empty());
  }
  {
    Box root;
    root.add_variable<float>("v1", {7});
    Checkpoint checkpoint{root};
    CKPT_CHECK_CODE(ErrorCode::mismatch, checkpoint.read(dir / "a.ckpt"));
  }
  CHECK(log.warnings.empty());
}

TEST_CASE("waiting values go with the last object that could take them",
          "[graph][status][test_deferred_dependency_avoids_reference_cycles]") {
  TempDir dir;
  write_two(dir / "a.ckpt");
  LogCapture log;
  std::optional<Box> root{std::in_place};
  std::optional<Checkpoint> checkpoint{std::in_place, *root};
  checkpoint->read(dir / "a.ckpt");
  checkpoint.reset();
  CHECK(log.warnings.empty());
  root.reset();
  CHECK(log.warnings.size() == 1);
}

TEST_CASE("values wait no longer than necessary", "[graph][status][test_defer_objects_with_values_only]") {
  TempDir dir;
  {
    Variable<float> v{1};
    Box empty;
    Box nested;
    empty.track("nested", nested);
    Checkpoint{{"v", v}, {"empty", empty}}.write(dir / "a.ckpt", quick());
  }
  LogCapture log;
  Box root;
  Checkpoint checkpoint{root};
  std::optional<RestoreStatus> status = checkpoint.read(dir / "a.ckpt");
  CHECK(status->pending() == Paths{"v"});
  CHECK(mappings_of("a.ckpt") == 1);
  root.add("v", 0);
  CHECK(status->pending().empty());
  // "empty" never came, but there is nothing in it: the mapping is gone, although the status is there.
  CHECK(mappings_of("a.ckpt") == 0);
  status.reset();
  CHECK(log.warnings.empty());
}

TEST_CASE("a status keeps no file when nothing waits", "[graph][status]") {
  TempDir dir;
  write_two(dir / "a.ckpt");
  Box root;
  root.add("v1", 0);
  Checkpoint checkpoint{root};
  const auto status = checkpoint.read(dir / "a.ckpt");
  CHECK(mappings_of("a.ckpt") == 1);
  auto v2 = root.add("v2", 0);
  CHECK(v2.value() == 2);
  CHECK(mappings_of("a.ckpt") == 0);
  status.assert_consumed().assert_existing_objects_matched().assert_nontrivial_match();
  CHECK(status.unmatched_in_file().empty());
  root.add("v3", 0);
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, status.assert_consumed());
  CHECK(error.details().object == "v3");
  CHECK(error.details().file == dir / "a.ckpt");
}

TEST_CASE("the file goes with the objects that waited", "[graph][status][lifetime]") {
  TempDir dir;
  write_two(dir / "a.ckpt");
  std::optional<Box> root{std::in_place};
  std::optional<Checkpoint> checkpoint{std::in_place, *root};
  const auto status = checkpoint->read(dir / "a.ckpt");
  status.expect_partial();
  CHECK(mappings_of("a.ckpt") == 1);
  checkpoint.reset();
  root.reset();
  CHECK(mappings_of("a.ckpt") == 0);
  CHECK(status.unmatched_in_file() == Paths{"v1", "v2"});
  CHECK(status.pending().empty());
}

TEST_CASE("the status outlives the checkpoint", "[graph][status][testAssertConsumedNoCheckpoint]") {
  TempDir dir;
  write_two(dir / "a.ckpt");
  Box root;
  root.add("v1", 0);
  root.add("v2", 0);
  const auto status = [&] {
    Checkpoint checkpoint{root};
    return checkpoint.read(dir / "a.ckpt");
  }();
  status.assert_consumed();
}

TEST_CASE("a match of nothing is trivial", "[graph][status]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint saver{{"v", v}};
  saver.save(dir / "c", quick());
  Variable<float> w{2};
  Checkpoint other{{"w", w}};
  const auto status = other.restore(dir / "c-1.ckpt");
  status.expect_partial();
  CKPT_CHECK_CODE(ErrorCode::mismatch, status.assert_nontrivial_match());
  other.track("v", v);
  CHECK_NOTHROW(status.assert_nontrivial_match());
  CHECK(status.unmatched_in_program() == Paths{"w"});
}

TEST_CASE("lists in messages are short", "[graph][status]") {
  TempDir dir;
  Box root;
  for (int i = 10; i < 40; ++i) root.add("v" + std::to_string(i), 1);
  Checkpoint{root}.write(dir / "a.ckpt", quick());
  Box other;
  Checkpoint checkpoint{other};
  const auto status = checkpoint.read(dir / "a.ckpt");
  status.expect_partial();
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, status.assert_consumed());
  CHECK(contains(error.what(), "v10, v11"));
  CHECK(contains(error.what(), "v19 and 20 more"));
  CHECK(!contains(error.what(), "v20"));
  CHECK(status.unmatched_in_file().size() == 30);
}

TEST_CASE("a save without values that still wait says so", "[graph][status][save]") {
  TempDir dir;
  {
    Box net;
    Box adam;
    adam.add_slot<float>(net.add("w", 1), "m", 5.0F);
    Checkpoint{{"net", net}, {"adam", adam}}.save(dir / "a", quick());
  }
  Box net;
  Box adam;
  auto w = net.add("w", 0);
  Checkpoint checkpoint{{"net", net}, {"adam", adam}};
  LogCapture log;
  const auto status = checkpoint.restore(dir / "a-1.ckpt");
  checkpoint.save(dir / "b", quick());
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings[0], "adam/m/net/w"));
  adam.add_slot<float>(w, "m");
  checkpoint.save(dir / "b", quick());
  CHECK(log.warnings.size() == 1);
}

TEST_CASE("the error of a tied value that two variables ask for names both", "[graph][status]") {
  TempDir dir;
  {
    Variable<float> tied{1};
    Checkpoint{{"embedding", tied}, {"head", tied}}.write(dir / "a.ckpt", quick());
  }
  Variable<float> embedding{0};
  Variable<float> head{0};
  Checkpoint checkpoint{{"embedding", embedding}, {"head", head}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  CHECK(embedding.value() == 1);
  CHECK(head.value() == 0);
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, status.assert_existing_objects_matched());
  CHECK(error.details().object == "head");
  CHECK(contains(error.details().advice, "what the file has for head, stored as embedding, went to another variable"));
}

TEST_CASE("what to do about a counter that is missing, and about a prefix", "[graph][status]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  checkpoint.write(dir / "a.ckpt", quick());
  const auto status = checkpoint.restore(dir / "a.ckpt");
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, status.assert_existing_objects_matched());
  CHECK(contains(error.details().advice, "Checkpoint::read"));
  CKPT_REQUIRE_ERROR(missing, ErrorCode::not_found, checkpoint.restore(dir / "a"));
  CHECK(contains(missing.details().advice, "-1.ckpt"));
  CHECK(missing.details().file == dir / "a");
}

TEST_CASE("what to do about a counter that the part of a file has not", "[graph][status]") {
  TempDir dir;
  Box net;
  net.add("w", 1);
  Checkpoint{{"net", net}}.save(dir / "a", quick());
  Checkpoint checkpoint{net};
  const auto status = checkpoint.restore(dir / "a-1.ckpt", {.root = "net"});
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, status.assert_existing_objects_matched());
  CHECK(contains(error.details().advice, "RestoreOptions::root"));
  CHECK(contains(error.details().advice, "Checkpoint::read"));
}

TEST_CASE("what only a later restore gave is not matched in the earlier one", "[graph][status]") {
  TempDir dir;
  Variable<float> x{1};
  Variable<float> y{2};
  Checkpoint{{"x", x}}.write(dir / "x.ckpt", quick());
  Checkpoint{{"x", x}, {"y", y}}.write(dir / "both.ckpt", quick());
  Checkpoint checkpoint{{"x", x}, {"y", y}};
  const auto first = checkpoint.read(dir / "x.ckpt");
  const auto second = checkpoint.read(dir / "both.ckpt");
  CHECK(first.unmatched_in_program() == Paths{"y"});
  CKPT_CHECK_CODE(ErrorCode::mismatch, first.assert_existing_objects_matched());
  second.assert_existing_objects_matched();
}

TEST_CASE("a plan does not count the save counter among what is extra", "[graph][status]") {
  TempDir dir;
  Variable<float> x{1};
  Checkpoint{{"x", x}}.save(dir / "a", quick());
  Checkpoint checkpoint{{"x", x}};
  CHECK(checkpoint.plan(dir / "a-1.ckpt").extra.empty());
  CHECK(checkpoint.read(dir / "a-1.ckpt").unmatched_in_file() == Paths{"save_counter"});
  checkpoint.restore(dir / "a-1.ckpt").assert_consumed();
}
