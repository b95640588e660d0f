// Patterns, through `ls` of a file with telling names.
#include "tool.hpp"

#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>

#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

using Paths = std::vector<std::string>;

class NamedTensors {
 public:
  explicit NamedTensors(const Paths& paths) : file_{(directory_ / "named.ckpt").string()} {
    WriterOptions options;
    options.durable = false;
    Writer writer{file_, options};
    for (const std::string& path : paths) writer.add(path, DType::u8, {1}, random_bytes(1, 1));
    writer.commit();
  }

  Paths listed(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"ls", file_});
    const ToolResult result = run_tool(arguments);
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    return lines_of(result.out);
  }

  const std::string& file() const { return file_; }

 private:
  TempDir directory_;
  std::string file_;
};

}  // namespace

TEST_CASE("globs select paths") {
  const NamedTensors tensors{{"a", "a/b", "a/b/c", "ab", "a*", "b[0]", "b0", "b1", "b9", "b\xc3\xa9", "bx"}};

  CHECK(tensors.listed({"*"}).size() == 11);
  CHECK(tensors.listed({"a/*"}) == Paths{"a/b", "a/b/c"});
  CHECK(tensors.listed({"*b*c"}) == Paths{"a/b/c"});
  CHECK(tensors.listed({"?b"}) == Paths{"ab"});
  CHECK(tensors.listed({"b?"}) == Paths{"b0", "b1", "b9", "bx", "b\xc3\xa9"});
  CHECK(tensors.listed({"b[0-5]"}) == Paths{"b0", "b1"});
  CHECK(tensors.listed({"b[!0-5]"}) == Paths{"b9", "bx", "b\xc3\xa9"});
  CHECK(tensors.listed({"b\\[0]"}) == Paths{"b[0]"});
  CHECK(tensors.listed({"a\\*"}) == Paths{"a*"});
  CHECK(tensors.listed({"[a]"}) == Paths{"a"});
}

TEST_CASE("a glob without wildcards is a path and stands for all below it") {
  const NamedTensors tensors{{"net", "net/a", "net/b/c", "net-2/a", "netx"}};
  CHECK(tensors.listed({"net"}) == Paths{"net", "net/a", "net/b/c"});
  CHECK(tensors.listed({"net/b"}) == Paths{"net/b/c"});
  CHECK(tensors.listed({"--exclude", "net"}) == Paths{"net-2/a", "netx"});
}

TEST_CASE("include and exclude repeat and combine") {
  const NamedTensors tensors{{"a/norm", "a/weight", "b/norm", "b/weight"}};
  CHECK(tensors.listed({"--include", "*norm", "--include", "b/*"}) == Paths{"a/norm", "b/norm", "b/weight"});
  CHECK(tensors.listed({"b/weight", "a/weight"}) == Paths{"a/weight", "b/weight"});
  CHECK(tensors.listed({"--include", "*norm", "--exclude", "a/*"}) == Paths{"b/norm"});
  CHECK(tensors.listed({"--exclude", "a", "--exclude", "*norm"}) == Paths{"b/weight"});
}

TEST_CASE("many stars take no time out of proportion") {
  const std::string path(4000, 'a');
  const NamedTensors tensors{{path}};
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "a*";
  CHECK(tensors.listed({pattern}) == Paths{path});
  const ToolResult result = run_tool({"ls", tensors.file(), pattern + "b"});
  CHECK(result.status == 2);
}

TEST_CASE("patterns that match nothing are an error for every command") {
  const NamedTensors tensors{{"a"}};
  for (const char* command : {"info", "ls", "tree", "verify"}) {
    const ToolResult result = run_tool({command, tensors.file(), "--include", "nothing*"});
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK(is_one_line(result.err));
    CHECK(result.err.find("no tensor matches") != std::string::npos);
  }
}
