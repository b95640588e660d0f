// Options, help, and what is said of wrong usage.
#include "tool.hpp"

#include <ckpt/version.hpp>

#include <catch2/catch.hpp>
#include <support/temp_dir.hpp>

#include <string>
#include <vector>

using namespace ckpt::test;

TEST_CASE("help and version go to standard output with status 0") {
  for (const char* command : {"info", "ls", "tree", "verify", "history", "gc"}) {
    const ToolResult result = run_tool({command, "--help"});
    CHECK(result.status == 0);
    CHECK(result.out.find(command) != std::string::npos);
    CHECK(result.err.empty());
  }
  const ToolResult help = run_tool({"--help"});
  CHECK(help.status == 0);
  for (const char* word : {"info", "ls", "tree", "verify", "history", "gc", "--json", "Exit status", "130"}) {
    CHECK(help.out.find(word) != std::string::npos);
  }
  const ToolResult version = run_tool({"--version"});
  CHECK(version.status == 0);
  CHECK(version.out.find(CKPT_VERSION) != std::string::npos);
}

TEST_CASE("wrong usage is one line on standard error and status 2") {
  const std::vector<std::vector<std::string>> wrong{
      {},
      {"frobnicate"},
      {"--frobnicate"},
      {"info"},
      {"ls"},
      {"tree", "--depth", "0", "x"},
      {"tree", "--depth", "many", "x"},
      {"tree", "x", "y"},
      {"history"},
      {"history", "x", "y"},
      {"gc", "--apply"},
      {"gc", "x", "--verify"},
      {"ls", "--units", "furlongs", "x"},
      {"ls", "--color", "blue", "x"},
      {"info", "-q", "-v", "x"},
      {"ls", "x", "--include"},
  };
  for (const auto& arguments : wrong) {
    const ToolResult result = run_tool(arguments);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK(result.err.starts_with("ckptdump: "));
    CHECK(result.err.find("try 'ckptdump ") != std::string::npos);
    CHECK(is_one_line(result.err));
  }
}

TEST_CASE("a depth that is none is named") {
  for (const char* depth : {"0", "-1", "many", "1x", "99999999999999999999"}) {
    const ToolResult result = run_tool({"tree", "--depth", depth, "x"});
    CHECK(result.status == 2);
    CHECK(result.err ==
          "ckptdump: --depth: '" + std::string{depth} +
              "' is no number of levels: 1 for the uppermost alone, without --depth up to 64; try 'ckptdump "
              "--help'\n");
  }
}

TEST_CASE("a file in the place of the command is pointed out") {
  const ToolResult result = run_tool({"a\x1b.ckpt"});
  CHECK(result.status == 2);
  CHECK(result.err == "ckptdump: 'a\\x1b.ckpt' is no command; try 'ckptdump info a\\x1b.ckpt', or 'ckptdump --help'\n");
}

TEST_CASE("options work before and after the command") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const ToolResult before = run_tool({"--json", "--include", "embed", "ls", file});
  const ToolResult after = run_tool({"ls", file, "--include", "embed", "--json"});
  CHECK(before.status == 0);
  CHECK(before.out == after.out);
  CHECK(document_of(before).at("tensors").size() == 1);
}

TEST_CASE("units change amounts in all commands") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const auto second_line = [&](const char* units) {
    return lines_of(run_tool({"ls", "-l", file, "embed", "--units", units}).out).at(1);
  };
  CHECK(second_line("iec").find(" 1.6 KiB ") != std::string::npos);
  CHECK(second_line("si").find(" 1.6 kB ") != std::string::npos);
  CHECK(second_line("bytes").find(" 1600 ") != std::string::npos);
}
