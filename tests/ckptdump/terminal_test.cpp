// Names on terminals, colours, pipes that close, interrupts.
#include "tool.hpp"

#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <support/files.hpp>
#include <support/temp_dir.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Its listing is over 300 KB.
void write_long_listing(const std::string& file) {
  WriterOptions options;
  options.durable = false;
  Writer writer{file, options};
  const std::string rest(1000, 'x');
  for (int i = 0; i < 300; ++i) writer.add(std::to_string(1000 + i) + rest, DType::u8, {0}, {});
  writer.commit();
}

}  // namespace

TEST_CASE("names of tensors, files and metadata are escaped") {
  const TempDir directory;
  const std::string file = (directory / "a\x1b[2J\n\xff.ckpt").string();
  WriterOptions options;
  options.durable = false;
  Writer writer{file, options};
  writer.add("evil\xe2\x80\xaetxt", DType::u8, {1}, random_bytes(1, 1));
  writer.add("back\\slash", DType::u8, {1}, random_bytes(1, 1));
  writer.add("d\xc3\xa9j\xc3\xa0", DType::u8, {1}, random_bytes(1, 1));
  writer.set_metadata("note", std::string{"\x1b]0;owned\x07\xc2\x9b"});
  writer.commit();

  const ToolResult ls = run_tool({"ls", file});
  CHECK(ls.out == "back\\x5cslash\nd\xc3\xa9j\xc3\xa0\nevil\\u{202e}txt\n");
  for (const char* command : {"info", "tree", "verify"}) {
    const std::string out = run_tool({command, file, "-v"}).out;
    for (const char* forbidden : {"\x1b", "\x07", "\xff", "\xe2\x80\xae", "\xc2\x9b"}) CHECK_FALSE(has(out, forbidden));
  }
  const std::string info = run_tool({"info", file}).out;
  CHECK(has(info, "a\\x1b[2J\\x0a\\xff.ckpt   ckpt v1"));
  CHECK(has(info, "note=\\x1b]0;owned\\x07\\u{9b}"));

  const ToolResult gone = run_tool({"info", file + "\x1b"});
  CHECK(is_one_line(gone.err));
  CHECK_FALSE(has(gone.err, "\x1b"));

  const nlohmann::json first = document_of(run_tool({"info", file, "--json"})).at("files").at(0);
  CHECK(first.at("file_hex").get<std::string>().ends_with("ff2e636b7074"));
  CHECK(first.at("file").get<std::string>().ends_with("\xef\xbf\xbd.ckpt"));
  CHECK(first.at("metadata").at("note").at("value") == "\x1b]0;owned\x07\xc2\x9b");
  CHECK(document_of(run_tool({"ls", file, "--json"})).at("tensors").at(2).at("path") == "evil\xe2\x80\xaetxt");
}

TEST_CASE("colours are for terminals, and can be forced or forbidden") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  CHECK_FALSE(has(run_tool({"info", file}).out, "\x1b["));
  CHECK(has(run_tool({"info", file}, {.terminal = true}).out, "\x1b["));
  CHECK_FALSE(has(run_tool({"info", file}, {.environment = {"NO_COLOR=1"}, .terminal = true}).out, "\x1b["));
  CHECK_FALSE(has(run_tool({"info", file, "--color", "never"}, {.terminal = true}).out, "\x1b["));
  CHECK(has(run_tool({"info", file, "--color", "always"}).out, "\x1b["));
  CHECK(has(run_tool({"info", file, "--color", "always"}, {.environment = {"NO_COLOR=1"}}).out, "\x1b["));
  CHECK_FALSE(has(run_tool({"info", file, "--json", "--color", "always"}).out, "\x1b["));
}

TEST_CASE("a full disk below standard output is status 2") {
  if (!std::filesystem::exists("/dev/full")) {
    WARN("SKIPPED: no /dev/full");
    return;
  }
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const ToolResult result = run_tool({"ls", file}, {.out_file = "/dev/full"});
  CHECK(result.status == 2);
  CHECK(is_one_line(result.err));
  CHECK(has(result.err, "cannot write to standard output: No space left on device"));
}

TEST_CASE("a reader that goes away ends a listing quietly") {
  const TempDir directory;
  const std::string file = (directory / "long.ckpt").string();
  write_long_listing(file);
  for (const char* command : {"info", "ls", "tree", "verify"}) {
    for (const char* option : {"--json", "-v"}) {
      const ToolResult result = run_tool_into_closed_pipe({command, file, option});
      CHECK(result.status == 0);
      CHECK(result.err.empty());
    }
  }
}

TEST_CASE("a file that is cut off while it is listed is named, and gives status 1") {
  const TempDir directory;
  const std::string file = (directory / "cut.ckpt").string();
  Writer writer{file, {.durable = false}};
  const std::string rest(200, 'x');
  for (int i = 0; i < 20'000; ++i) writer.add(std::to_string(100'000 + i) + rest, DType::u8, {0}, {});
  writer.commit();
  const ToolResult result = run_tool_on_cut_file({"ls", file}, file);
  CHECK(result.status == 1);
  CHECK(result.err == "ckptdump: " + file + ": it became shorter while it was read, or its device failed; try again\n");
}

TEST_CASE("an interrupt gives status 130") {
  const TempDir directory;
  const std::string file = (directory / "long.ckpt").string();
  write_long_listing(file);
  CHECK(interrupt_tool({"ls", file}) == 130);
}
