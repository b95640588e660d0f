// Saves in the background: how many, how much memory, and what happens to errors.
#include "saving.hpp"

#include <support/child.hpp>
#include <sys/resource.h>

#include <atomic>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::int64_t kMiB = 1 << 20;

// A variable of that many MiB.
struct Megabytes {
  explicit Megabytes(std::int64_t count) : v{{count * kMiB / 4}, 1.0F} {}
  Variable<float> v;
  Checkpoint checkpoint{{"v", v}};
};

}  // namespace

TEST_CASE("no more saves are in flight than allowed, and they finish in order", "[graph][async]") {
  TempDir dir;
  Megabytes state{1};
  for (const std::size_t most : {std::size_t{1}, std::size_t{3}}) {
    Paths finished;
    AsyncSaver saver{state.checkpoint, {.max_in_flight = most}};
    std::vector<PendingSave> saves;
    for (std::size_t i = 0; i < 20; ++i) {
      AsyncSaveOptions options = quick(SaveMode::copy);
      options.on_durable = [&](const std::filesystem::path& path) { finished.push_back(path.filename()); };
      saves.push_back(saver.write(dir / std::to_string(i), options));
      CHECK(saver.in_flight() <= most);
      if (i < most) CHECK(saves[i].waited_seconds() == 0);
      if (i >= most) CHECK(saves[i - most].is_done());
    }
    saver.wait();
    REQUIRE(finished.size() == 20);
    for (std::size_t i = 0; i < 20; ++i) CHECK(finished[i] == std::to_string(i));
    CHECK(saver.staging_bytes() <= most * 4 * kMiB);
  }
}

TEST_CASE("a save that waits says so", "[graph][async]") {
  TempDir dir;
  Megabytes state{1};
  Gate gate;
  std::atomic<bool> calling = false;
  AsyncSaver saver{state.checkpoint};
  PendingSave first = saver.write(dir / "a.ckpt", held(gate));
  std::jthread opener{[&] {
    while (!calling) std::this_thread::yield();
    gate.open();
  }};
  calling = true;
  PendingSave second = saver.write(dir / "b.ckpt", quick(SaveMode::copy));
  CHECK(first.is_done());
  CHECK(first.waited_seconds() == 0);
  CHECK(second.waited_seconds() >= 0);
  CHECK(second.durable() == dir / "b.ckpt");
}

TEST_CASE("staging memory is kept, grows with the state, and is released when asked", "[graph][async][staging]") {
  TempDir dir;
  Megabytes state{5};
  AsyncSaver saver{state.checkpoint};
  CHECK(saver.staging_bytes() == 0);
  saver.write(dir / "a.ckpt", quick(SaveMode::copy)).durable();
  const std::uint64_t held_bytes = saver.staging_bytes();
  CHECK(held_bytes >= 5 * kMiB);
  CHECK(held_bytes <= 8 * kMiB);
  for (int i = 0; i < 5; ++i) {
    saver.write(dir / "a.ckpt", quick(i % 2 == 0 ? SaveMode::copy : SaveMode::overlap)).durable();
    CHECK(saver.staging_bytes() == held_bytes);
  }
  Variable<float> more{{6 * kMiB / 4}};
  state.checkpoint.track("more", more);
  saver.write(dir / "a.ckpt", quick(SaveMode::copy)).durable();
  CHECK(saver.staging_bytes() >= 11 * kMiB);
  CHECK(saver.staging_bytes() <= 14 * kMiB);
  saver.release_staging();
  CHECK(saver.staging_bytes() == 0);
  saver.write(dir / "a.ckpt", quick(SaveMode::copy)).durable();
  CHECK(Reader::open(dir / "a.ckpt").verify().ok());
}

TEST_CASE("memory in use is not released", "[graph][async][staging]") {
  TempDir dir;
  Megabytes state{5};
  AsyncSaver saver{state.checkpoint, {.max_in_flight = 2}};
  Gate gate;
  saver.write(dir / "a.ckpt", held(gate));
  PendingSave save = saver.write(dir / "b.ckpt", quick(SaveMode::copy));
  saver.release_staging();
  CHECK(saver.staging_bytes() >= 10 * kMiB);
  gate.open();
  save.durable();
  CHECK(Reader::open(dir / "b.ckpt").verify().ok());
}

TEST_CASE("a copy beyond the limit is refused before anything changes", "[graph][async][staging]") {
  TempDir dir;
  Megabytes state{5};
  AsyncSaver saver{state.checkpoint, {.max_staging_bytes = 4 * kMiB}};
  for (const SaveMode mode : {SaveMode::copy, SaveMode::overlap}) {
    CKPT_REQUIRE_ERROR(error, ErrorCode::limit, saver.save(dir / "c", quick(mode)));
    CHECK(contains(error.details().expected, "max_staging_bytes"));
    CHECK(contains(error.details().advice, "hand_off"));
  }
  CHECK(state.checkpoint.save_counter().value() == 0);
  CHECK(saver.in_flight() == 0);
  CHECK(saver.staging_bytes() == 0);
  CHECK(names_in(dir.path()).empty());
  CHECK(saver.save(dir / "c", quick(SaveMode::hand_off)).durable() == dir / "c-1.ckpt");
}

TEST_CASE("where memory is short a save waits for that of the one before", "[graph][async][staging]") {
  TempDir dir;
  Megabytes state{5};
  AsyncSaver saver{state.checkpoint, {.max_in_flight = 4, .max_staging_bytes = 7 * kMiB}};
  std::vector<PendingSave> saves;
  for (std::size_t i = 0; i < 8; ++i) {
    saves.push_back(saver.save(dir / "c", quick(SaveMode::copy)));
    CHECK(saver.staging_bytes() <= 7 * kMiB);
    CHECK(saver.in_flight() <= 2);  // one may have given its memory back and not be done yet
  }
  saver.wait();
  CHECK(names_in(dir.path()).size() == 8);
}

TEST_CASE("memory that is handed off is not copied", "[graph][async][staging]") {
  TempDir dir;
  Megabytes state{5};
  AsyncSaver saver{state.checkpoint};
  for (int i = 0; i < 3; ++i) {
    saver.save(dir / "c", quick(SaveMode::hand_off));
    CHECK(saver.staging_bytes() == 0);
  }
  saver.wait();
  CHECK(saver.staging_bytes() == 0);
  CHECK(Reader::open(dir / "c-3.ckpt").verify().ok());
}

TEST_CASE("an error is thrown to whoever asks", "[graph][async][errors]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  AsyncSaver saver{checkpoint};
  std::filesystem::create_directory(dir / "c-1.ckpt");
  PendingSave save = saver.save(dir / "c", quick(SaveMode::copy));
  for (int i = 0; i < 2; ++i) {
    CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, save.durable());
    CHECK(error.details().file == dir / "c-1.ckpt");
  }
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, save.staged());
  CHECK_NOTHROW(saver.wait());
  CHECK(checkpoint.save_counter().value() == 1);  // as after Checkpoint::save
  CHECK(saver.save(dir / "c", quick(SaveMode::copy)).durable() == dir / "c-2.ckpt");
  CHECK(temporaries_in(dir.path()) == 0);
}

TEST_CASE("an error that nobody asked for is thrown by the next call, once", "[graph][async][errors]") {
  TempDir dir;
  LogCapture log;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  write_file(dir / "file", "in the way of a directory");
  {
    AsyncSaver saver{checkpoint, {.max_in_flight = 3}};
    saver.write(dir / "file/a.ckpt", quick(SaveMode::copy));
    CKPT_CHECK_CODE(ErrorCode::io, saver.wait());
    CHECK_NOTHROW(saver.wait());

    for (const SaveMode mode : kModes) {
      CKPT_CHECK_CODE(ErrorCode::io, saver.write(dir / "file/a.ckpt", quick(mode)).durable());
    }
    Gate gate;
    saver.save(dir / "c", held(gate));
    saver.write(dir / "file/a.ckpt", quick(SaveMode::copy));
    saver.write(dir / "file/b.ckpt", quick(SaveMode::hand_off));
    gate.open();
    while (saver.in_flight() > 0) std::this_thread::yield();
    // Each once, the oldest first.
    CKPT_REQUIRE_ERROR(first, ErrorCode::io, saver.save(dir / "c", quick(SaveMode::copy)));
    CKPT_REQUIRE_ERROR(second, ErrorCode::io, saver.save(dir / "c", quick(SaveMode::copy)));
    CHECK(saver.save(dir / "c", quick(SaveMode::copy)).durable() == dir / "c-2.ckpt");
    CHECK(log.warnings.empty());

    saver.write(dir / "file/last.ckpt", quick(SaveMode::copy));
  }
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings[0], "nobody asked"));
  CHECK(contains(log.warnings[0], (dir / "file").string()));
}

TEST_CASE("a full disk in the background", "[graph][async][errors]") {
  TempDir dir;
  const ChildResult result = run_child([&]() -> std::string {
    if (!own_mounts()) return skip("no mount namespace of its own");
    if (!mount_tmpfs(dir / "disk", 4 * kMiB)) return skip("cannot mount a tmpfs");
    Megabytes state{3};
    AsyncSaver saver{state.checkpoint};
    const auto path = dir / "disk/a.ckpt";
    saver.write(path).durable();
    const Bytes old = read_file(path);
    for (const SaveMode mode : kModes) {
      PendingSave save = saver.write(path, {.mode = mode});
      const auto error = error_of([&] { save.durable(); });
      if (!error || error->details().system_error != ENOSPC) return "not the error of a full disk";
      if (read_file(path) != old) return "the old file is damaged";
      if (temporaries_in(dir / "disk") != 0) return "a temporary remains";
    }
    std::filesystem::remove(path);
    saver.write(path).durable();
    return Reader::open(path).verify().ok() ? "" : "the next save gave a bad file";
  });
  if (!skipped(result)) CHECK(result.text == "");
}

TEST_CASE("without threads there is no saver, and a saver copies and writes alone", "[graph][async][errors]") {
  TempDir dir;
  std::filesystem::permissions(dir.path(), std::filesystem::perms::all);
  const ChildResult result = run_child([&]() -> std::string {
    if (!drop_rights()) return skip("cannot become another user");
    Megabytes state{9};
    std::optional<AsyncSaver> saver{std::in_place, state.checkpoint, AsyncOptions{.copy_threads = 4}};
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) return skip("cannot limit threads");
    const auto error = error_of([&] { AsyncSaver{state.checkpoint}; });
    if (!error) return skip("the limit on threads does not hold");
    if (error->code() != ErrorCode::limit) return error->what();
    saver->write(dir / "a.ckpt").durable();
    return Reader::open(dir / "a.ckpt").verify().ok() ? "" : "a bad file";
  });
  if (!skipped(result)) CHECK(result.text == "");
}

TEST_CASE("bad options are an error of the save that has them", "[graph][async][errors]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, AsyncSaver(checkpoint, {.max_in_flight = 0}));
  AsyncSaver saver{checkpoint};
  AsyncSaveOptions options;
  options.save.metadata["ckpt.mine"] = std::int64_t{1};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, saver.write(dir / "a.ckpt", options).durable());
  CHECK(names_in(dir.path()).empty());
}

TEST_CASE("the destructor waits for what is in flight", "[graph][async]") {
  TempDir dir;
  Megabytes state{5};
  PendingSave last;
  {
    AsyncSaver saver{state.checkpoint, {.max_in_flight = 3}};
    saver.save(dir / "c", quick(SaveMode::copy));
    saver.save(dir / "c", quick(SaveMode::overlap));
    last = saver.save(dir / "c");
    AsyncSaver moved{std::move(saver)};
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, saver.wait());
    saver = std::move(moved);
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, moved.wait());
  }
  CHECK(names_in(dir.path()) == Paths{"c-1.ckpt", "c-2.ckpt", "c-3.ckpt"});
  CHECK(last.durable() == dir / "c-3.ckpt");  // a handle outlives the saver
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, PendingSave{}.durable());
}

TEST_CASE("on_durable comes after the file and before durable()", "[graph][async][on_durable]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  AsyncSaver saver{checkpoint};
  float seen = 0;
  std::optional<ErrorCode> from_inside;
  AsyncSaveOptions options;
  options.on_durable = [&](const std::filesystem::path& path) {
    seen = scalar_in(path, "v");
    from_inside = code_of([&] { saver.wait(); });
  };
  saver.write(dir / "a.ckpt", options).durable();
  CHECK(seen == 1);
  CHECK(from_inside == std::optional{ErrorCode::invalid_argument});

  options.on_durable = [](const std::filesystem::path&) { throw std::runtime_error("the list is full"); };
  v = 2.0F;
  PendingSave save = saver.write(dir / "a.ckpt", options);
  CHECK_THROWS_WITH(save.durable(), "the list is full");
  CHECK(scalar_in(dir / "a.ckpt", "v") == 2);

  options.on_durable = [&](const std::filesystem::path&) { seen = 0; };
  std::filesystem::create_directory(dir / "b.ckpt");
  CHECK_THROWS_AS(saver.write(dir / "b.ckpt", options).durable(), Error);
  CHECK(seen == 1);
}

TEST_CASE("a forked process has no saver, and does not hang", "[graph][async][fork]") {
  TempDir dir;
  Megabytes state{5};
  std::optional<AsyncSaver> saver{std::in_place, state.checkpoint, AsyncOptions{.max_in_flight = 2}};
  Gate gate;
  saver->write(dir / "a.ckpt", held(gate));
  PendingSave save = saver->write(dir / "b.ckpt", quick(SaveMode::copy));
  const ChildResult result = run_child([&]() -> std::string {
    const auto refused = [](const auto& call) { return code_of(call) == std::optional{ErrorCode::invalid_argument}; };
    if (!refused([&] { saver->save(dir / "child"); })) return "save";
    if (!refused([&] { saver->wait(); })) return "wait";
    if (!refused([&] { save.durable(); })) return "durable";
    if (!refused([&] { save.staged(); })) return "staged";
    if (state.checkpoint.save_counter().value() != 0) return "the counter was changed";
    save = {};
    saver.reset();
    return {};
  });
  CHECK(result.text == "");
  gate.open();
  CHECK(save.durable() == dir / "b.ckpt");
  CHECK(names_in(dir.path()) == Paths{"a.ckpt", "b.ckpt"});
  CHECK(Reader::open(dir / "b.ckpt").verify().ok());
}
