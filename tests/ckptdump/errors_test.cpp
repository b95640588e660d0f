// Files that cannot be used: what is said, and the exit status.
#include "tool.hpp"

#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr const char* kCommands[] = {"info", "ls", "tree", "verify"};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Runs every command on the file, each of which must fail in the same way, and returns what was said.
std::string refused(const std::string& file, int status, const std::string& code) {
  std::string said;
  for (const char* command : kCommands) {
    const ToolResult text = run_tool({command, file});
    INFO(command << ": " << text.out << text.err);
    CHECK(text.status == status);
    CHECK(text.out.empty());
    CHECK(is_one_line(text.err));
    CHECK(text.err.starts_with("ckptdump: "));
    said = text.err;
    const ToolResult json = run_tool({command, file, "--json"});
    CHECK(json.status == status);
    CHECK(is_one_line(json.err));
    const nlohmann::json document = document_of(json);
    const nlohmann::json& place = document.contains("files") ? document["files"][0] : document;
    CHECK(place.at("error").at("code") == code);
  }
  return said;
}

}  // namespace

TEST_CASE("a missing file") {
  const TempDir directory;
  const std::string file = (directory / "step-1").string();
  CHECK(refused(file, 2, "not_found") == "ckptdump: " + file + ": no such file; check the name\n");
  write_model(file + ".ckpt");
  CHECK(has(refused(file, 2, "not_found"), "did you mean " + file + ".ckpt?"));
  const std::string link = (directory / "link").string();
  std::filesystem::create_symlink("absent", link);
  CHECK(has(refused(link, 2, "not_found"), link + ": a symbolic link whose target is missing"));
}

TEST_CASE("a directory names its newest checkpoint") {
  const TempDir directory;
  const std::string path = directory.path().string();
  CHECK(
      has(refused(path, 2, "invalid_argument"), "this is a directory, and it holds no checkpoint; name a .ckpt file"));
  for (const char* name : {"run-9.ckpt", "run-10.ckpt", ".run-11.ckpt.tmp"}) write_model(directory / name);
  CHECK(has(refused(path, 2, "invalid_argument"), path + ": this is a directory of checkpoints: the newest is " + path +
                                                      "/run-10.ckpt; 'ckptdump history DIRECTORY' lists them all"));
}

TEST_CASE("a directory of files that no manager numbered") {
  const TempDir directory;
  write_model(directory / "final.ckpt");
  CHECK(has(refused(directory.path().string(), 2, "invalid_argument"),
            "the newest is " + (directory / "final.ckpt").string()));
}

TEST_CASE("a file without permission") {
  const TempDir directory;
  const std::string file = (directory / "secret.ckpt").string();
  write_model(file);
  REQUIRE(::chmod(file.c_str(), 0) == 0);
  if (::access(file.c_str(), R_OK) == 0) {
    WARN("SKIPPED: this user may read every file");
    return;
  }
  CHECK(has(refused(file, 2, "io"), "Permission denied"));
}

TEST_CASE("what is no regular file is not waited for") {
  const TempDir directory;
  const std::string file = (directory / "pipe").string();
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  CHECK(has(refused(file, 2, "invalid_argument"), "this is no regular file"));
}

TEST_CASE("truncated, empty and zeroed files are damaged") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const Bytes whole = read_file(file);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, whole.size() / 2,
                                 whole.size() - 64, whole.size() - 1}) {
    write_file(file, std::span{whole}.first(size));
    INFO("size " << size);
    CHECK(has(refused(file, 1, "corrupt"), file + ": "));
  }
  write_file(file, Bytes(whole.size()));
  refused(file, 1, "corrupt");
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  write_file(file, longer);
  refused(file, 1, "corrupt");
  write_file(file, "hello, this is a text and no checkpoint\n");
  refused(file, 1, "corrupt");
}

TEST_CASE("with --json errors come after the document, not in it") {
  const TempDir directory;
  const std::string absent = (directory / "absent").string();
  const std::string text = (directory / "notes.txt").string();
  write_file(text, "a text\n");
  for (const char* command : kCommands) {
    INFO(command);
    const bool many = std::string{command} == "info" || std::string{command} == "verify";
    std::vector<std::string> arguments{command, "--json", absent};
    if (many) arguments.push_back(text);
    const std::string out = run_tool(arguments, {.together = true}).out;
    const std::size_t end = out.find("\nckptdump: ") + 1;
    REQUIRE(end != 0);
    CHECK(nlohmann::json::accept(out.substr(0, end)));
    const std::string rest = out.substr(end);
    CHECK(rest.starts_with("ckptdump: " + absent + ": no such file"));
    CHECK(has(rest, "\nckptdump: " + text + ": not a checkpoint file") == many);
  }
}

TEST_CASE("a short text is no checkpoint, and no command is advised that was just run") {
  const TempDir directory;
  const std::string file = (directory / "notes.txt").string();
  for (const std::string& text : {std::string{"hello\n"}, std::string(28, 'x'), std::string(5000, 'y')}) {
    write_file(file, text);
    const std::string said = refused(file, 1, "corrupt");
    CHECK(has(said, file + ": not a checkpoint file"));
    CHECK_FALSE(has(said, "ckptdump info"));
  }
}

TEST_CASE("an error in the middle of a listing still ends in a whole document") {
  const TempDir directory;
  const std::string file = (directory / "many.ckpt").string();
  WriterOptions options;
  options.durable = false;
  Writer writer{file, options};
  for (int i = 0; i < 2000; ++i) writer.add("t" + std::to_string(1000 + i), DType::u8, {1}, random_bytes(1, 1));
  writer.commit();
  const FileInfo info = Reader::open(file).file();
  Bytes bytes = read_file(file);
  bytes.at(info.index_offset + info.index_size / 2) ^= std::byte{1};
  write_file(file, bytes);
  for (const char* command : kCommands) {
    const ToolResult result = run_tool({command, file, "--json"});
    INFO(command);
    CHECK(result.status == 1);
    document_of(result);
  }
}
