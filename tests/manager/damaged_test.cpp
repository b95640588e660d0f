// What a restore has found damaged counts for no rule, and stays.
#include "clock.hpp"
#include "session.hpp"

#include <support/file_image.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

struct Save {
  std::int64_t number;
  double loss = 1;
  std::int64_t step = 0;
};

void save(Run& run, const Save& what) {
  SaveOptions options = quick();
  options.writer.metrics = {{"loss", what.loss}};
  options.writer.step = what.step;
  run.value = static_cast<float>(what.number);
  run.save({.number = what.number, .options = options});
}

/// Checkpoints of which the last ones are damaged.
void make_run(const std::filesystem::path& directory, const std::vector<Save>& whole,
              const std::vector<Save>& damaged) {
  Run run{directory, {.max_to_keep = std::nullopt}};
  for (const Save& each : whole) save(run, each);
  for (const Save& each : damaged) {
    save(run, each);
    damage(directory / ("ckpt-" + std::to_string(each.number) + ".ckpt"));
  }
}

std::string reason_of(const CheckpointManager& manager, std::int64_t number) {
  for (const RetentionDecision& decision : manager.retention_plan()) {
    if (decision.number == number) return decision.reasons.front();
  }
  return "";
}

/// Trains through those losses, a checkpoint each step.
void train_through(TrainingSession& session, Program& program, const std::vector<double>& losses) {
  for (const double loss : losses) {
    REQUIRE(session.next());
    program.train();
    session.report({{"loss", loss}});
  }
}

void cut_off(const std::filesystem::path& file) {
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
}

SessionOptions with_best() {
  return quick_session({.save_steps = 1, .early_stopping = EarlyStopping{.metric = "loss", .patience = 10}});
}

}  // namespace

TEST_CASE("damaged ones take no place among the newest", "[manager][damaged]") {
  TempDir dir;
  make_run(dir.path(), {{.number = 100}}, {{.number = 200}, {.number = 300}});
  {
    LogCapture log;
    Run run{dir.path(), {.max_to_keep = 3}};
    CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-100.ckpt");
    CHECK(contains(log.warnings.back(), "those that are damaged count for no rule"));
    CHECK(contains(reason_of(run.manager, 200), "damaged"));
    for (const std::int64_t number : {150, 160}) save(run, {.number = number});
    CHECK(checkpoints_in(dir.path()) ==
          Paths{"ckpt-100.ckpt", "ckpt-150.ckpt", "ckpt-160.ckpt", "ckpt-200.ckpt", "ckpt-300.ckpt"});
    save(run, {.number = 170});
    CHECK(checkpoints_in(dir.path()) ==
          Paths{"ckpt-150.ckpt", "ckpt-160.ckpt", "ckpt-170.ckpt", "ckpt-200.ckpt", "ckpt-300.ckpt"});
    save(run, {.number = 200});  // whole again, and one of them
    CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-160.ckpt", "ckpt-170.ckpt", "ckpt-200.ckpt", "ckpt-300.ckpt"});
  }
  // The next manager has seen nothing but a newest one that is whole.
  Run run{dir.path(), {.max_to_keep = 3}};
  CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-200.ckpt");
  save(run, {.number = 210});
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-170.ckpt", "ckpt-200.ckpt", "ckpt-210.ckpt"});
}

TEST_CASE("one that is damaged is not the best", "[manager][damaged][best]") {
  TempDir dir;
  make_run(dir.path(), {{.number = 1, .loss = 0.5}, {.number = 2, .loss = 0.3}}, {{.number = 3, .loss = 0.1}});
  Run run{dir.path(), {.max_to_keep = 1, .keep_best = {{.metric = "loss"}}}};
  CHECK(run.manager.best("loss") == dir / "ckpt-3.ckpt");
  CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-2.ckpt");
  CHECK(run.manager.best("loss") == dir / "ckpt-2.ckpt");
  for (const std::int64_t number : {4, 5}) save(run, {.number = number, .loss = 0.9});
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-2.ckpt", "ckpt-3.ckpt", "ckpt-5.ckpt"});
  save(run, {.number = 3, .loss = 0.2});
  CHECK(run.manager.best("loss") == dir / "ckpt-3.ckpt");
}

TEST_CASE("one that is damaged is the first of no steps and of no time", "[manager][damaged]") {
  TempDir dir;
  Clock clock;
  clock.set_hours(10);
  {
    // All of one hour, and of the steps from 10 on.
    Run run{dir.path(), {.max_to_keep = std::nullopt, .clock = clock.function()}};
    save(run, {.number = 1, .step = 5});
    clock.set_hours(11);
    for (const std::int64_t step : {11, 12}) save(run, {.number = step, .step = step});
  }
  for (const char* file : {"ckpt-11.ckpt", "ckpt-12.ckpt"}) damage(dir / file);
  ManagerOptions options{.max_to_keep = 1, .clock = clock.function()};
  SECTION("steps") { options.keep_every_n_steps = 10; }
  SECTION("a grid of times") { options.keep_time_grid_hours = 1; }
  Run run{dir.path(), options};
  CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-1.ckpt");
  for (const std::int64_t step : {13, 14, 15}) save(run, {.number = step, .step = step});
  Paths expected{"ckpt-11.ckpt", "ckpt-12.ckpt", "ckpt-13.ckpt", "ckpt-15.ckpt"};
  if (options.keep_time_grid_hours) expected.insert(expected.begin(), "ckpt-1.ckpt");
  CHECK(checkpoints_in(dir.path()) == expected);
}

TEST_CASE("one that is damaged is not preserved by the next manager", "[manager][damaged][clock]") {
  TempDir dir;
  Clock clock;
  const ManagerOptions options{.max_to_keep = 1, .keep_every_n_hours = 2, .clock = clock.function()};
  clock.set_hours(10);
  {
    Run run{dir.path(), {.max_to_keep = std::nullopt, .clock = clock.function()}};
    save(run, {.number = 1});
    clock.set_hours(10.5);
    save(run, {.number = 2});
  }
  damage(dir / "ckpt-2.ckpt");
  {
    Run run{dir.path(), options};
    CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-1.ckpt");
    for (const std::int64_t number : {13, 16}) {
      clock.set_hours(static_cast<double>(number));
      save(run, {.number = number});
    }
  }
  Run run{dir.path(), options};
  CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-16.ckpt");
  clock.set_hours(16.5);
  save(run, {.number = 17});
  CHECK_FALSE(std::filesystem::exists(dir / "ckpt-2.ckpt"));
}

TEST_CASE("a session restores the best that is whole", "[manager][damaged][session][early]") {
  TempDir dir;
  Program program;
  TrainingSession session{program.checkpoint, program.step, dir.path(), with_best()};
  train_through(session, program, {3, 1, 2, 9});
  SECTION("its data is damaged") { damage(dir / "model-2.ckpt"); }
  SECTION("it is cut off, and its metrics cannot be read") { cut_off(dir / "model-2.ckpt"); }
  LogCapture log;
  session.finish();
  CHECK(program.value.value() == 3);
  CHECK(program.step.value() == 3);
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings[0], "model-2.ckpt"));
}

TEST_CASE("a session of which no best is whole ends with an error", "[manager][damaged][session][early]") {
  TempDir dir;
  Program program;
  TrainingSession session{program.checkpoint, program.step, dir.path(), with_best()};
  train_through(session, program, {2, 1});
  SECTION("their data is damaged") {
    for (const char* file : {"model-1.ckpt", "model-2.ckpt"}) damage(dir / file);
  }
  SECTION("the metrics of none can be read") {
    for (const char* file : {"model-1.ckpt", "model-2.ckpt"}) cut_off(dir / file);
  }
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, session.finish());
  CHECK(contains(error.what(), "model-"));
  CHECK(program.value.value() == 2);
}

TEST_CASE("a save that comes to the number of a damaged one replaces it", "[manager][damaged]") {
  TempDir dir;
  make_run(dir.path(), {{.number = 1}}, {{.number = 2}, {.number = 3}});
  Run run{dir.path(), {.max_to_keep = 3}};
  CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-1.ckpt");
  run.value = 7;
  CHECK(run.manager.save({.options = quick()}).path == dir / "ckpt-2.ckpt");
  CHECK(Reader::open(dir / "ckpt-2.ckpt").verify().ok());
  CHECK(!Reader::open(dir / "ckpt-3.ckpt").verify().ok());
}

TEST_CASE("a checkpoint whose sums are right and that cannot be unpacked is damaged", "[manager][damaged]") {
  TempDir dir;
  const ManagerOptions options{
      .save = {.writer = {.durable = false, .compression = Compression::zstd, .created_ns = 1}}};
  const auto ramp = [](float begin) {
    std::vector<float> values(20'000);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = begin + 1e-3F * static_cast<float>(i % 700);
    return values;
  };
  Variable<float> first{Shape{20'000}};
  Variable<float> second{Shape{20'000}};
  Checkpoint checkpoint{{"a", first}, {"b", second}};
  {
    CheckpointManager manager{checkpoint, dir.path(), options};
    for (const float begin : {1.0F, 2.0F}) {
      for (Variable<float>* variable : {&first, &second})
        std::ranges::copy(ramp(begin), variable->mutable_values().begin());
      manager.save();
    }
  }
  const auto unpacks = [&] { return !error_of([&] { Reader::open(dir / "ckpt-2.ckpt").tensor("b"); }); };
  const FileImage whole{dir / "ckpt-2.ckpt"};
  // Somewhere behind the header of the first frame of "b".
  for (std::size_t i = 10; unpacks(); ++i) {
    FileImage image = whole;
    const auto blob =
        image.bytes().begin() +
        static_cast<std::ptrdiff_t>(image.get<std::uint64_t>(image.tensor(image.find("b")) + at::kBlobOffset));
    const Bytes magic{std::byte{0x28}, std::byte{0xb5}, std::byte{0x2f}, std::byte{0xfd}};
    const auto frame = std::search(blob, image.bytes().end(), magic.begin(), magic.end());
    REQUIRE(static_cast<std::size_t>(image.bytes().end() - frame) > i);
    frame[static_cast<std::ptrdiff_t>(i)] = std::byte{0xff};
    image.seal_all();
    image.store(dir / "ckpt-2.ckpt");
  }
  REQUIRE(Reader::open(dir / "ckpt-2.ckpt").verify().ok());

  CheckpointManager manager{checkpoint, dir.path(), options};
  const RestoreResult result = manager.restore_or_initialize();
  CHECK(result.path == dir / "ckpt-1.ckpt");
  REQUIRE(result.skipped.size() == 1);
  CHECK(contains(result.skipped[0].reason.what(), "the zstd frame is damaged"));
  for (const Variable<float>* variable : {&first, &second}) CHECK(std::ranges::equal(variable->values(), ramp(1)));
}
