// history and gc: directories of checkpoints.
#include "../manager/live_manager.hpp"
#include "tool.hpp"

#include <ckpt/ckpt.hpp>

#include <catch2/catch.hpp>
#include <support/file_image.hpp>
#include <support/files.hpp>
#include <support/sealed_state.hpp>
#include <support/temp_dir.hpp>

#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

std::string text_of(const std::filesystem::path& file) {
  const Bytes bytes = read_file(file);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Checkpoints 1 to 5 of steps 100 to 500 with losses, of which 2 is pinned and 3 has the best loss; all are listed,
/// and the rules want the newest two and the best.
void make_run(const std::filesystem::path& directory) {
  const std::vector<double> losses{0.5, 0.4, 0.125, 0.3, 0.2};
  {
    Run run{directory, {.max_to_keep = std::nullopt}};
    for (int i = 1; i <= 5; ++i) {
      SaveOptions options = quick();
      options.writer.step = 100 * i;
      options.writer.created_ns = 1'700'000'000'000'000'000 + i * 60'000'000'000;
      options.writer.metrics = {{"loss", losses.at(static_cast<std::size_t>(i - 1))}};
      run.save({.options = options});
    }
  }
  write_file(directory / "ckpt-2.ckpt.pin", std::string_view{});
  std::string body = text_of(directory / "ckpt.state");
  body.erase(body.find("checksum "));
  const std::string all = "rule max_to_keep all\n";
  body.replace(body.find(all), all.size(), "rule max_to_keep 2\nrule keep_best 1 lower loss\n");
  write_file(directory / "ckpt.state", std::string_view{sealed(body)});
}

std::string line_with(const ToolResult& result, const std::string& start) {
  for (const std::string& line : lines_of(result.out)) {
    if (line.starts_with(start)) return line;
  }
  return "";
}

Paths files_in(const nlohmann::json& list) {
  Paths names;
  for (const auto& entry : list) names.push_back(std::filesystem::path{entry.at("file").get<std::string>()}.filename());
  return names;
}

}  // namespace

TEST_CASE("a long name of a metric does not widen the lines of the others") {
  const TempDir dir;
  {
    Run run{dir.path()};
    SaveOptions options = quick();
    options.writer.metrics = {{std::string(1000, 'm'), 0.5}};
    run.save({.options = options});
    options.writer.metrics = {{"loss", 0.5}};
    run.save({.options = options});
  }
  const ToolResult result = run_tool({"history", dir.path().string()});
  CHECK(line_with(result, "ckpt-1.ckpt").size() > 1000);
  CHECK(line_with(result, "ckpt-2.ckpt").size() < 250);
}

TEST_CASE("history lists checkpoints, oldest first") {
  const TempDir dir;
  make_run(dir.path());
  const ToolResult result = run_tool({"history", dir.path().string(), "--units", "bytes"});
  INFO(result.out);
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  const auto lines = lines_of(result.out);
  REQUIRE(lines.size() == 8);
  const std::string bytes = std::to_string(std::filesystem::file_size(dir / "ckpt-1.ckpt"));
  CHECK(lines[0].starts_with("ckpt   5 checkpoints, "));
  CHECK(lines[1] == "keeps  the newest 2, the best 1 by loss (lower is better), pinned ones");
  CHECK(lines[2] == "FILE         STEP  SIZE  CREATED               METRICS     NOTES");
  CHECK(lines[3] == "ckpt-1.ckpt   100  " + bytes + "  2023-11-14T22:14:20Z  loss=0.5");
  CHECK(lines[4] == "ckpt-2.ckpt   200  " + bytes + "  2023-11-14T22:15:20Z  loss=0.4    pinned");
  CHECK(lines[7] == "ckpt-5.ckpt   500  " + bytes + "  2023-11-14T22:18:20Z  loss=0.2    newest");
  CHECK(run_tool({"history", "-q", dir.path().string()}).out.empty());

  const nlohmann::json document = document_of(run_tool({"history", dir.path().string(), "--json"}));
  CHECK(document.at("directory") == dir.path().string());
  CHECK(document.at("manager_runs") == false);
  const nlohmann::json& run = document.at("runs").at(0);
  CHECK(run.at("name") == "ckpt");
  CHECK(run.at("rules").at("max_to_keep") == 2);
  CHECK(run.at("rules").at("keep_best").at(0).at("metric") == "loss");
  CHECK(!run.contains("state_problem"));
  CHECK(files_in(run.at("checkpoints")) ==
        Paths{"ckpt-1.ckpt", "ckpt-2.ckpt", "ckpt-3.ckpt", "ckpt-4.ckpt", "ckpt-5.ckpt"});
  const nlohmann::json& second = run.at("checkpoints").at(1);
  CHECK(second.at("number") == 2);
  CHECK(second.at("step") == 200);
  CHECK(second.at("created_ns") == 1'700'000'120'000'000'000);
  CHECK(second.at("metrics").at("loss") == 0.4);
  CHECK(second.at("management") == "managed");
  CHECK(second.at("pinned") == true);
  CHECK(second.at("newest") == false);
  CHECK(run.at("checkpoints").at(4).at("newest") == true);
}

TEST_CASE("a damaged checkpoint gives status 1, one of a newer version 3") {
  const TempDir dir;
  make_run(dir.path());
  const std::string path = dir.path().string();
  damage(dir / "ckpt-4.ckpt");
  CHECK(run_tool({"history", path}).status == 0);
  const ToolResult verified = run_tool({"history", "--verify", path});
  INFO(verified.out);
  CHECK(verified.status == 1);
  CHECK(contains(line_with(verified, "ckpt-4.ckpt"), "damaged"));
  CHECK(contains(line_with(verified, path + "/ckpt-4.ckpt: "), "v: "));
  CHECK(lines_of(run_tool({"history", "-q", "--verify", path}).out).size() == 1);
  write_file(dir / "ckpt-3.ckpt", std::string_view{"junk"});
  const ToolResult two = run_tool({"history", path, "--json"});
  CHECK(two.status == 1);
  CHECK(document_of(two).at("runs").at(0).at("checkpoints").at(2).at("problem").at("code") == "corrupt");
  FileImage image{dir / "ckpt-1.ckpt"};
  image.set<std::uint16_t>(at::kMajor, 9);
  image.seal_header();
  image.store(dir / "ckpt-1.ckpt");
  const ToolResult three = run_tool({"history", path});
  INFO(three.out);
  CHECK(three.status == 3);
  CHECK(contains(line_with(three, "ckpt-1.ckpt"), "unknown"));
}

TEST_CASE("a state that cannot be used is a line, and none is not damage") {
  const TempDir dir;
  make_run(dir.path());
  const std::string path = dir.path().string();
  std::filesystem::remove(dir / "ckpt.state");
  const ToolResult missing = run_tool({"history", path});
  CHECK(missing.status == 0);
  CHECK(contains(missing.out, "the state file is missing"));
  CHECK(contains(line_with(missing, "ckpt-5.ckpt"), "newest, unmanaged"));
  CHECK(run_tool({"history", "-q", path}).out.empty());
  write_file(dir / "ckpt.state", std::string_view{"\x1b[31m"});
  const ToolResult damaged = run_tool({"history", path});
  CHECK(damaged.status == 1);
  CHECK(contains(damaged.out, "the state file is damaged"));
  CHECK(!contains(damaged.out, "\x1b"));
  write_file(dir / "ckpt.state", std::string_view{sealed("ckpt-state 2\n")});
  CHECK(run_tool({"history", path}).status == 3);
  for (const char* apply : {"-v", "--apply"}) {
    const ToolResult gc = run_tool({"gc", path, apply});
    CHECK(gc.status == 0);
    CHECK(contains(gc.out, "ckpt: all checkpoints stay: "));
    CHECK(contains(gc.out, "nothing to remove\n"));
  }
  CHECK(checkpoints_in(dir.path()).size() == 5);
}

TEST_CASE("gc says what would go and why, and with --apply it goes") {
  const TempDir dir;
  make_run(dir.path());
  const std::string path = dir.path().string();
  write_file(dir / "ckpt-0.ckpt.pin", std::string_view{"12345"});
  const Paths before = names_in(dir.path());
  const ToolResult dry = run_tool({"gc", path, "--units", "bytes"});
  INFO(dry.out);
  CHECK(dry.status == 0);
  CHECK(names_in(dir.path()) == before);
  const std::uintmax_t size = std::filesystem::file_size(dir / "ckpt-1.ckpt");
  CHECK(dry.out ==
        "WOULD GO         SIZE  WHY\n"
        "ckpt-1.ckpt      " +
            std::to_string(size) +
            "  no rule wants it\n"
            "ckpt-0.ckpt.pin     5  its checkpoint is gone\n"
            "2 files, " +
            std::to_string(size + 5) + " would go; nothing was changed: --apply removes them\n");
  const ToolResult verbose = run_tool({"gc", "-v", path});
  CHECK(line_with(verbose, "ckpt-2.ckpt") == "ckpt-2.ckpt  pinned");
  CHECK(line_with(verbose, "ckpt-3.ckpt") == "ckpt-3.ckpt  best 1 of 1 by loss (0.125)");
  CHECK(line_with(verbose, "ckpt-5.ckpt") == "ckpt-5.ckpt  among the newest 2 (max_to_keep)");
  const nlohmann::json document = document_of(run_tool({"gc", path, "--json"}));
  CHECK(document.at("applied") == false);
  CHECK(document.at("files") == 2);
  CHECK(document.at("bytes") == size + 5);
  CHECK(files_in(document.at("garbage")) == Paths{"ckpt-1.ckpt", "ckpt-0.ckpt.pin"});
  CHECK(document.at("garbage").at(0).at("kind") == "checkpoint");
  CHECK(document.at("runs").at(0).at("decisions").size() == 5);
  CHECK(names_in(dir.path()) == before);

  const ToolResult applied = run_tool({"gc", "--apply", path});
  CHECK(applied.status == 0);
  CHECK(contains(line_with(applied, "ckpt-1.ckpt"), "no rule wants it"));
  CHECK(contains(applied.out, "2 files, "));
  CHECK(contains(applied.out, " removed\n"));
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-2.ckpt", "ckpt-3.ckpt", "ckpt-4.ckpt", "ckpt-5.ckpt"});
  CHECK(run_tool({"gc", "--apply", path}).out == "nothing to remove\n");
  CHECK(run_tool({"gc", "--apply", "-q", path}).out.empty());
  LogCapture log;
  Run run{dir.path()};
  CHECK(log.warnings.empty());
  CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-5.ckpt");
}

TEST_CASE("gc says what could not be removed, with status 2") {
  const TempDir dir;
  make_run(dir.path());
  std::filesystem::remove(dir / "ckpt-1.ckpt");
  std::filesystem::create_directory(dir / "ckpt-1.ckpt");
  // The rules ask what is in it, and keep what they cannot judge: ask for nothing.
  std::string body = text_of(dir / "ckpt.state");
  body.erase(body.find("checksum "));
  const std::string best = "rule keep_best 1 lower loss\n";
  body.erase(body.find(best), best.size());
  write_file(dir / "ckpt.state", std::string_view{sealed(body)});
  const ToolResult result = run_tool({"gc", "--apply", dir.path().string()});
  CHECK(result.status == 2);
  CHECK(is_one_line(result.err));
  CHECK(contains(result.err, "ckpt-1.ckpt: cannot remove"));
  CHECK(!contains(result.out, "ckpt-1.ckpt"));
  CHECK(contains(result.out, "ckpt-3.ckpt"));
  const ToolResult again = run_tool({"gc", "--apply", "--json", dir.path().string()});
  CHECK(again.status == 2);
  CHECK(document_of(again).at("garbage").at(0).at("failure").at("code") == "io");
}

TEST_CASE("a manager at work: history says so, gc too, and gc --apply is refused") {
  const TempDir dir;
  make_run(dir.path());
  const std::string path = dir.path().string();
  std::string temporary;
  {
    LiveManager live{dir.path(), {.max_to_keep = std::nullopt}};
    const ToolResult history = run_tool({"history", path});
    CHECK(history.status == 0);
    CHECK(contains(history.out, "a manager is running here\n"));
    CHECK(contains(line_with(history, ".ckpt-99.ckpt."), "being written"));
    const ToolResult dry = run_tool({"gc", path});
    CHECK(dry.status == 0);
    CHECK(contains(dry.out, "a manager is running here"));
    CHECK(!contains(dry.out, ".ckpt-99.ckpt."));
    CHECK(document_of(run_tool({"gc", path, "--json"})).at("manager_runs") == true);
    const ToolResult applied = run_tool({"gc", "--apply", path});
    CHECK(applied.status == 2);
    CHECK(applied.out.empty());
    CHECK(is_one_line(applied.err));
    CHECK(contains(applied.err, "a manager is running here"));
    CHECK(contains(applied.err, "wait until its program has ended"));
    CHECK(document_of(run_tool({"gc", "--apply", path, "--json"})).at("error").at("code") == "busy");
    CHECK(checkpoints_in(dir.path()).size() == 5);
  }
  CHECK(contains(line_with(run_tool({"history", path}), ".ckpt-99.ckpt."), "left by a save that was killed"));
  CHECK(contains(line_with(run_tool({"gc", path}), ".ckpt-99.ckpt."), "left by a save that was killed"));
  CHECK(temporaries_in(dir.path()) == 1);
  CHECK(run_tool({"gc", path, "--apply"}).status == 0);
  CHECK(temporaries_in(dir.path()) == 0);
}

TEST_CASE("what is no directory of checkpoints is refused in one line that says what to try") {
  const TempDir dir;
  write_model(dir / "final.ckpt");
  const std::vector<std::pair<std::string, std::string>> wrong{
      {(dir / "final.ckpt").string(), "this is a file, and no directory of checkpoints; name the directory"},
      {(dir / "missing").string(), "no such directory; check the name"},
      {dir.path().string(), "no manager has saved checkpoints in this directory"},
  };
  for (const auto& [path, word] : wrong) {
    for (const char* command : {"history", "gc"}) {
      const ToolResult result = run_tool({command, path});
      CAPTURE(command, path, result.err);
      CHECK(result.status == 2);
      CHECK(result.out.empty());
      CHECK(is_one_line(result.err));
      CHECK(contains(result.err, word));
      CHECK(document_of(run_tool({command, path, "--json"})).contains("error"));
    }
    CHECK(run_tool({"gc", "--apply", path}).status == 2);
  }
  CHECK(names_in(dir.path()) == Paths{"final.ckpt"});
  make_run(dir / "run");
  const ToolResult patterns = run_tool({"gc", "--apply", (dir / "run").string(), "--include", "net"});
  CHECK(patterns.status == 2);
  CHECK(contains(patterns.err, "patterns select tensors"));
  CHECK(checkpoints_in(dir / "run").size() == 5);
}

TEST_CASE("junk in a directory does not slow history and gc down, and does not go") {
  const TempDir dir;
  make_run(dir.path());
  for (int i = 0; i < 10'000; ++i) write_file(dir / ("junk-" + std::to_string(i)), std::string_view{});
  for (const char* name : {"ckpt-007.ckpt", "ckpt-99999999999999999999.ckpt", "ckpt-1.ckpt.bak", "a\n\x1b[2J.state"}) {
    write_file(dir / name, std::string_view{"junk"});
  }
  std::filesystem::create_directory(dir / "ckpt-0.ckpt");
  std::filesystem::create_symlink("ckpt-5.ckpt", dir / "ckpt-6.ckpt");
  const std::size_t names = names_in(dir.path()).size();
  const ToolResult history = run_tool({"history", dir.path().string()});
  INFO(history.out);
  CHECK(history.status == 1);
  CHECK(contains(line_with(history, "ckpt-0.ckpt"), "unmanaged, damaged"));
  CHECK(contains(line_with(history, "ckpt-6.ckpt"), "newest, unmanaged"));
  CHECK(lines_of(history.out).size() == 11);
  CHECK(run_tool({"gc", "--apply", dir.path().string()}).status == 0);
  CHECK(names_in(dir.path()).size() == names - 1);
  CHECK(!std::filesystem::exists(dir / "ckpt-1.ckpt"));
}

TEST_CASE("names from states and files are escaped") {
  const TempDir parent;
  const std::filesystem::path dir = parent / "a\x1b[2J\n\xff";
  {
    const std::string metric = "lo\xe2\x80\xaess";
    Run run{dir, {.max_to_keep = 1, .keep_best = {{.metric = metric}}, .name = "r\xe2\x80\xaen"}};
    SaveOptions options = quick();
    options.writer.metrics = {{metric, 1}};
    run.save({.options = options});
  }
  for (const char* command : {"history", "gc"}) {
    const ToolResult result = run_tool({command, "-v", dir.string()});
    CAPTURE(result.out);
    CHECK(result.status == 0);
    CHECK(contains(result.out, command == std::string{"gc"} ? "r\\u{202e}n-1.ckpt" : "by lo\\u{202e}ss"));
    CHECK(!contains(result.out, "\x1b"));
    CHECK(!contains(result.out, "\xe2\x80\xae"));
  }
  std::filesystem::remove(dir / "r\xe2\x80\xaen-1.ckpt");
  std::filesystem::remove_all(dir / ".ckpt.lock");
  std::filesystem::remove(dir / "r\xe2\x80\xaen.state");
  const ToolResult refused = run_tool({"history", dir.string()});
  CHECK(is_one_line(refused.err));
  CHECK(!contains(refused.err, "\x1b"));
}
