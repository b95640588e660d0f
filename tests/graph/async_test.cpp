// Saves in the background: what is in the files, and when variables may be changed.
#include "saving.hpp"

#include <support/child.hpp>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// Sizes below, at and above those of the pieces that threads copy.
struct Model {
  Model() {
    net.add_variable<float>("empty", {0});
    net.add_variable<float>("scalar", {}, 2.0F);
    for (const std::int64_t count : {3, 1'000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3'000'000}) {
      auto variable = net.add_variable<float>("v" + std::to_string(count), {count}, [&](std::span<float> out) {
        for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(i) * 0.5F + static_cast<float>(count);
      });
      if (count < 2'000'000) adam.add_slot<float>(variable, "m", 0.25F);
    }
  }

  Box net;
  Box adam;
  Checkpoint checkpoint{{"adam", adam}, {"net", net}};
};

SaveOptions reproducible() {
  SaveOptions options = quick();
  options.writer.uuid = Uuid{};
  options.writer.created_ns = 0;
  options.writer.step = 7;
  options.metadata["run"] = std::string{"toy"};
  return options;
}

}  // namespace

TEST_CASE("a save in the background gives the bytes of Checkpoint::save", "[graph][async][determinism]") {
  TempDir dir;
  Model model;
  model.checkpoint.save(dir / "sync", reproducible());
  const Bytes wanted = read_file(dir / "sync-1.ckpt");
  for (const unsigned threads : {0U, 1U, 3U}) {
    for (const bool check : {false, true}) {
      AsyncSaver saver{model.checkpoint, {.copy_threads = threads, .check_changes = check}};
      for (const SaveMode mode : kModes) {
        model.checkpoint.save_counter() = 0;
        PendingSave save = saver.save(dir / "async", {.save = reproducible(), .mode = mode});
        CHECK(save.path() == dir / "async-1.ckpt");
        save.staged();
        CHECK(save.is_staged());
        CHECK(save.durable() == dir / "async-1.ckpt");
        CHECK(save.is_done());
        const bool same = read_file(dir / "async-1.ckpt") == wanted;
        CHECK(same);
        std::filesystem::remove(dir / "async-1.ckpt");
      }
    }
  }
  CHECK(temporaries_in(dir.path()) == 0);
}

TEST_CASE("saves in the background count on from the others", "[graph][async]") {
  TempDir dir;
  Box net;
  net.add("v", 1);
  Checkpoint checkpoint{{"net", net}};
  Gate gate;
  AsyncSaver saver{checkpoint, {.max_in_flight = 10}};
  CHECK(checkpoint.save(dir / "c", quick()) == dir / "c-1.ckpt");
  CHECK(saver.save(dir / "c", held(gate)).path() == dir / "c-2.ckpt");
  // The counter goes on while these are not written yet, also in the modes that keep variables from being changed.
  for (int number = 3; number < 8; ++number) saver.save(dir / "c", quick(kModes[number % 2]));
  saver.save(dir / "c", quick(SaveMode::hand_off));
  CHECK(checkpoint.save(dir / "c", quick()) == dir / "c-9.ckpt");
  CHECK(saver.in_flight() == 7);
  gate.open();
  saver.wait();
  CHECK(saver.in_flight() == 0);
  for (std::int64_t number = 1; number < 10; ++number) {
    const auto file = dir / ("c-" + std::to_string(number) + ".ckpt");
    const TensorView counter = Reader::open(file, {.verify = Verify::full}).tensor("save_counter");
    CHECK(counter.as<std::int64_t>()[0] == number);
  }
}

TEST_CASE("write in the background", "[graph][async][testCustomNumbering]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  AsyncSaver saver{checkpoint};
  for (const int number : {0, 2, 4, 6, 8}) {
    const auto path = dir / "sub/dir" / ("x-" + std::to_string(number) + ".ckpt");
    PendingSave save = saver.write(path, quick(SaveMode::copy));
    v = static_cast<float>(number + 10);
    CHECK(save.durable() == path);
    CHECK(paths_in(path) == Paths{"v"});
    CHECK(scalar_in(path, "v") == (number == 0 ? 1.0F : static_cast<float>(number + 8)));
  }
}

TEST_CASE("what is changed after staged() does not reach the file", "[graph][async]") {
  TempDir dir;
  Model model;
  auto v = model.net.add("v", 1);
  AsyncSaver saver{model.checkpoint, {.max_in_flight = 4}};
  Gate gate;
  saver.save(dir / "c", held(gate));
  // Nothing of these is written before the gate opens.
  PendingSave copied = saver.save(dir / "c", quick(SaveMode::copy));
  CHECK(copied.is_staged());
  v = 2.0F;
  PendingSave overlapped = saver.save(dir / "c", quick(SaveMode::overlap));
  overlapped.staged();  // and does not wait for the first save
  v = 3.0F;
  gate.open();
  PendingSave lent = saver.save(dir / "c", quick(SaveMode::hand_off));
  lent.staged();
  v = 4.0F;
  saver.wait();
  for (int number = 1; number <= 4; ++number) {
    const auto file = dir / ("c-" + std::to_string(number) + ".ckpt");
    CHECK(scalar_in(file, "net/v") == static_cast<float>(std::max(1, number - 1)));
    CHECK(Reader::open(file).verify().ok());
  }
}

TEST_CASE("before_save does not write what an earlier save still reads", "[graph][async][hooks]") {
  struct Engine : Trackable {
    void before_save() override { std::ranges::fill(state.mutable_values(), ++saves); }
    std::int64_t saves = 0;
    Variable<std::int64_t> state = add_variable<std::int64_t>("state", {500'000});
  };
  TempDir dir;
  for (const SaveMode mode : kModes) {
    Engine engine;
    Checkpoint checkpoint{{"engine", engine}};
    AsyncSaver saver{checkpoint, {.max_in_flight = 4}};
    for (std::int64_t number = 1; number <= 10; ++number) {
      saver.write(dir / ("c-" + std::to_string(number) + ".ckpt"), quick(mode));
    }
    saver.wait();
    for (std::int64_t number = 1; number <= 10; ++number) {
      const auto file = dir / ("c-" + std::to_string(number) + ".ckpt");
      const TensorView view = Reader::open(file, {.verify = Verify::full}).tensor("engine/state");
      const auto values = view.as<std::int64_t>();
      CHECK(std::ranges::count(values, number) == 500'000);
    }
  }
}

TEST_CASE("objects may go as soon as save has returned", "[graph][async]") {
  TempDir dir;
  for (const SaveMode mode : kModes) {
    std::optional<Box> net{std::in_place};
    net->add("v", 5);
    Checkpoint checkpoint{{"net", *net}};
    AsyncSaver saver{checkpoint, {.max_in_flight = 2}};
    Gate gate;
    saver.write(dir / "first.ckpt", held(gate));
    PendingSave save = saver.write(dir / "a.ckpt", quick(mode));
    net.reset();
    gate.open();
    save.durable();
    CHECK(scalar_in(dir / "a.ckpt", "net/v") == 5);
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, saver.write(dir / "a.ckpt", quick(mode)));
  }
}

TEST_CASE("a variable that was changed too early is named", "[graph][async][check_changes]") {
  TempDir dir;
  Model model;
  auto v = model.net.add("v", 1);
  AsyncSaver saver{model.checkpoint, {.check_changes = true}};
  for (const SaveMode mode : {SaveMode::overlap, SaveMode::hand_off}) {
    PendingSave save = saver.write(dir / "a.ckpt", quick(mode));
    v += 1;
    CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, save.staged());
    CHECK(error.details().object == "net/v");
    CHECK(contains(error.what(), "changed before staged()"));
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, save.durable());
    CHECK(names_in(dir.path()).empty());
    CHECK_NOTHROW(saver.wait());  // it was reported
  }
  // Whoever asks is told: the next save, which does nothing else.
  saver.save(dir / "c", quick(SaveMode::overlap));
  v += 1;
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, saver.save(dir / "c", quick(SaveMode::copy)));
  CHECK(saver.save(dir / "c", quick(SaveMode::copy)).durable() == dir / "c-2.ckpt");
}

TEST_CASE("a save that is checked for changes begins when somebody waits", "[graph][async][check_changes]") {
  TempDir dir;
  LogCapture log;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  for (const SaveMode mode : kModes) {
    {
      AsyncSaver saver{checkpoint, {.check_changes = true}};
      saver.write(dir / "next.ckpt", quick(mode));
      saver.write(dir / "durable.ckpt", quick(mode)).durable();
      saver.write(dir / "wait.ckpt", quick(mode));
      saver.wait();
      saver.write(dir / "destructor.ckpt", quick(mode));
    }
    CHECK(names_in(dir.path()) == Paths{"destructor.ckpt", "durable.ckpt", "next.ckpt", "wait.ckpt"});
    std::filesystem::remove_all(dir.path());
    std::filesystem::create_directory(dir.path());
  }
  CHECK(log.warnings.empty());
}

TEST_CASE("variables that other threads train", "[graph][async][threads]") {
  TempDir dir;
  std::atomic<bool> ending = false;
  Variable<float> beside{{100'000}};
  std::jthread other{[&] {
    while (!ending) {
      for (float& value : beside.mutable_values()) value += 1;
    }
  }};
  const auto train = [&](const std::string& name) {
    Variable<std::int64_t> v{{300'000}};
    Checkpoint checkpoint{{"v", v}};
    AsyncSaver saver{checkpoint, {.max_in_flight = 2}};
    for (std::int64_t step = 1; step <= 20; ++step) {
      std::ranges::fill(v.mutable_values(), step);
      saver.save(dir / name, quick(kModes[step % 3])).staged();
    }
    saver.wait();
  };
  {
    std::vector<std::jthread> trainers;
    for (const char* name : {"a", "b", "c"}) trainers.emplace_back(train, name);
  }
  ending = true;
  for (const std::string name : {"a", "b", "c"}) {
    for (std::int64_t step = 1; step <= 20; ++step) {
      const auto file = dir / (name + "-" + std::to_string(step) + ".ckpt");
      const TensorView view = Reader::open(file, {.verify = Verify::full}).tensor("v");
      const auto values = view.as<std::int64_t>();
      CHECK(std::ranges::count(values, step) == 300'000);
    }
  }
}

TEST_CASE("lists and maps saved in the background", "[graph][async][test_inititialize_with_data_structures]") {
  TempDir dir;
  List<Variable<float>> list;
  Map<Variable<float>> map;
  list.push_back(Variable<float>{1});
  list.push_back(Variable<float>{2});
  map.emplace("k", Variable<float>{3});
  Checkpoint checkpoint{{"list", list}, {"map", map}};
  AsyncSaver saver{checkpoint};
  PendingSave save = saver.save(dir / "c", quick(SaveMode::copy));
  for (float i = 0; i < 10; ++i) list.push_back(Variable<float>{i});
  list[0] = 7.0F;
  map.at("k") = 8.0F;
  List<Variable<float>> new_list;
  Map<Variable<float>> new_map;
  Checkpoint restored{{"list", new_list}, {"map", new_map}};
  const RestoreStatus status = restored.restore(save.durable());
  CHECK(status.pending() == Paths{"list/0", "list/1", "map/k"});
  CHECK(new_list.push_back(Variable<float>{0}).value() == 1);
  CHECK(new_list.push_back(Variable<float>{0}).value() == 2);
  CHECK(new_map.emplace("k", 0).value() == 3);
  status.assert_consumed();
}

TEST_CASE("the status outlives checkpoint and saver", "[graph][async][testAssertConsumedNoCheckpoint]") {
  TempDir dir;
  Box root;
  auto v = root.add("v1", 1);
  const auto status = [&] {
    Checkpoint checkpoint{root};
    AsyncSaver saver{checkpoint};
    PendingSave save = saver.save(dir / "c", quick(SaveMode::copy));
    v = 0.0F;
    return checkpoint.restore(save.durable());
  }();
  status.assert_consumed();
  CHECK(v.value() == 1);
}

TEST_CASE("a relative path means what it meant at the call", "[graph][async]") {
  TempDir dir;
  std::filesystem::create_directory(dir / "elsewhere");
  const ChildResult result = run_child([&]() -> std::string {
    std::filesystem::current_path(dir.path());
    Variable<float> v{1};
    Checkpoint checkpoint{{"v", v}};
    AsyncSaver saver{checkpoint, {.max_in_flight = 2}};
    Gate gate;
    saver.write("first.ckpt", held(gate));
    PendingSave save = saver.write("a.ckpt", quick(SaveMode::copy));
    std::filesystem::current_path(dir / "elsewhere");
    gate.open();
    if (save.durable() != "a.ckpt") return "another path";
    return {};
  });
  CHECK(result.text == "");
  CHECK(scalar_in(dir / "a.ckpt", "v") == 1);
}
