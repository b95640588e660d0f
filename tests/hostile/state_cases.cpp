#include "state_cases.hpp"

#include "case.hpp"

#include <support/files.hpp>
#include <support/sealed_state.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string_view>

namespace ckpt::test::hostile {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRebuilt = "rebuilt from the directory: 3 checkpoints found (numbers 1 to 3)";

DirectoryCase state(std::string name, int number, std::string text, std::string warning = kRebuilt) {
  return {.name = "state " + std::move(name),
          .number = number,
          .patch =
              [text = std::move(text)](const fs::path& dir) { write_file(dir / "ckpt.state", std::string_view{text}); },
          .warning = std::move(warning)};
}

// Its sum is right; the lines between title and sum are these.
DirectoryCase lines(std::string name, int number, const std::string& body, std::string warning = kRebuilt) {
  return state(std::move(name), number, sealed("ckpt-state 1\n" + body), std::move(warning));
}

DirectoryCase entry(std::string name, int number, const std::string& line) {
  return lines("entry " + std::move(name), number, "latest ckpt-3.ckpt\n" + line + "\nactive 2 ckpt-3.ckpt\n");
}

DirectoryCase rule(std::string name, const std::string& rule) {
  return lines("rule " + std::move(name), 0,
               "latest ckpt-3.ckpt\nrule max_to_keep 3\n" + rule + "\nactive 2 ckpt-3.ckpt\n");
}

std::string repeated(std::size_t count, const std::string& line) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += line;
  return text;
}

std::string vanished(int count) {
  std::string text = "latest ckpt-3.ckpt\n";
  for (int i = 0; i < count; ++i) text += "active 1 ckpt-" + std::to_string(1000 + i) + ".ckpt\n";
  return text + "active 2 ckpt-3.ckpt\n";
}

void make_fifo(const fs::path& path) {
  fs::remove(path);
  if (::mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
}

void make_socket(const fs::path& path) {
  fs::remove(path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::close(fd);
  if (bound != 0) throw std::runtime_error("bind");
}

void make_directory(const fs::path& path) {
  fs::remove(path);
  fs::create_directory(path);
}

void make_link(const fs::path& path, const fs::path& target) {
  fs::remove(path);
  fs::create_symlink(target, path);
}

DirectoryCase thing(std::string name, int number, const char* file, void (*make)(const fs::path&),
                    std::string warning = {}, int restored = 3) {
  return {.name = std::move(name),
          .number = number,
          .patch = [=](const fs::path& dir) { make(dir / file); },
          .warning = std::move(warning),
          .restored = restored};
}

DirectoryCase link(std::string name, int number, const char* file, const char* target, std::string warning = {},
                   int restored = 3) {
  return {.name = std::move(name),
          .number = number,
          .patch = [=](const fs::path& dir) { make_link(dir / file, target); },
          .warning = std::move(warning),
          .restored = restored};
}

DirectoryCase refused(DirectoryCase test, ErrorCode code) {
  test.refused = code;
  return test;
}

void add_junk(const fs::path& dir) {
  for (int i = 0; i < 100'000; ++i) {
    const int fd = ::mknod((dir / ("junk-" + std::to_string(i) + ".ckpt.x")).c_str(), S_IFREG | 0600, 0);
    if (fd != 0) throw std::runtime_error("mknod");
  }
}

void add_odd_names(const fs::path& dir) {
  for (const char* name : {"ckpt-007.ckpt", "ckpt--1.ckpt", "ckpt-+9.ckpt", "ckpt-9223372036854775808.ckpt",
                           "ckpt-1000000000000000000000000000000.ckpt", "ckpt-1e9.ckpt", "ckpt-0x9.ckpt",
                           "ckpt- 9.ckpt", "ckpt-9.ckpt ", "ckpt-.ckpt", "ckpt.ckpt", "-9.ckpt", ".ckpt-9.ckpt",
                           "ckpt-\xd9\xa9.ckpt", "ckpt-9\n.ckpt", "\x1b[2J-9.ckpt"}) {
    write_file(dir / name, std::string_view{"junk"});
  }
}

}  // namespace

DirectoryCases state_cases() {
  return {
      state("empty", 101, ""),
      state("of one newline", 101, "\n"),
      state("of zeros", 19, std::string(4096, '\0')),
      state("of random bytes", 101, std::string(reinterpret_cast<const char*>(random_bytes(4096, 1).data()), 4096)),
      state("without a sum", 101, "ckpt-state 1\nlatest ckpt-3.ckpt\nactive 2 ckpt-3.ckpt\n"),
      refused(state("with Windows line ends", 101,
                    sealed("ckpt-state 1\r\nlatest ckpt-3.ckpt\r\nactive 2 ckpt-3.ckpt\r\n"), {}),
              ErrorCode::unsupported),
      refused(state("of a version with escape", 53, sealed("ckpt-state \x1b[2J\n"), {}), ErrorCode::unsupported),
      state("with a byte order mark", 101,
            sealed("\xef\xbb\xbf"
                   "ckpt-state 1\nlatest ckpt-3.ckpt\n")),
      state("of another program", 101, sealed("model_checkpoint_path: \"ckpt-3\"\n")),
      refused(state("of version 2", 6, sealed("ckpt-state 2\n"), {}), ErrorCode::unsupported),
      refused(state("of version 1 and more", 6, sealed("ckpt-state 1 \n"), {}), ErrorCode::unsupported),
      entry("parent", 101, "active 1 ../precious"),
      entry("parent that looks like a name", 101, "active 1 ../ckpt-1.ckpt"),
      entry("parent behind a name", 101, "active 1 ckpt-1.ckpt/../../ckpt-1.ckpt"),
      entry("absolute", 101, "active 1 /etc/ckpt-1.ckpt"),
      entry("in a folder", 101, "active 1 x/ckpt-1.ckpt"),
      entry("of another name", 101, "active 1 other-1.ckpt"),
      entry("of number -1", 102, "active 1 ckpt--1.ckpt"),
      entry("of number 10^30", 102, "active 1 ckpt-1000000000000000000000000000000.ckpt"),
      entry("of number 2^63", 102, "active 1 ckpt-9223372036854775808.ckpt"),
      entry("with leading zeros", 102, "active 1 ckpt-007.ckpt"),
      entry("twice", 102, "active 1 ckpt-1.ckpt\nheld 1 ckpt-1.ckpt"),
      entry("of no time", 0, "active ckpt-1.ckpt"),
      entry("of infinite time", 0, "active inf ckpt-1.ckpt"),
      entry("of a time that is no number", 0, "active nan ckpt-1.ckpt"),
      entry("of a time that overflows", 0, "active 1e999 ckpt-1.ckpt"),
      entry("with NUL", 49, std::string{"active 1 ckpt-1.ckpt\0", 21}),
      entry("of an unknown kind", 0, "forgotten 1 ckpt-1.ckpt"),
      entry("that is empty", 0, ""),
      rule("of no hours", "rule keep_every_n_hours 0"),
      rule("of infinite hours", "rule keep_every_n_hours inf"),
      rule("of -1 steps", "rule keep_every_n_steps -1"),
      rule("of 10^30 steps", "rule keep_every_n_steps 1000000000000000000000000000000"),
      rule("of a metric with escape", "rule keep_best 1 lower a\x1b[2J"),
      rule("that is unknown", "rule keep_everything"),
      lines("of very many rules", 35,
            "latest ckpt-3.ckpt\nrule max_to_keep 3\n" + repeated(100'000, "rule keep_best 1 lower a\n") +
                "active 2 ckpt-3.ckpt\n"),
      lines("that names another latest", 101, "latest ckpt-2.ckpt\nactive 2 ckpt-3.ckpt\n"),
      lines("that names a latest alone", 101, "latest ckpt-3.ckpt\n"),
      lines("of very many checkpoints that are gone", 102, vanished(100'000), {}),
      lines("of times before all times", 0,
            "latest ckpt-3.ckpt\nlast_preserved -1e308\nactive -1e308 ckpt-2.ckpt\nactive -1e300 ckpt-3.ckpt\n", {}),
      lines("of times behind all times", 0,
            "latest ckpt-3.ckpt\nlast_preserved 1e308\nactive 1e308 ckpt-2.ckpt\nactive 1e308 ckpt-3.ckpt\n",
            "the clock"),
      lines("whose latest is gone", 101, "latest ckpt-9.ckpt\nactive 1 ckpt-3.ckpt\nactive 2 ckpt-9.ckpt\n",
            "is not there any more"),
      {.name = "state of 65 MiB",
       .number = 22,
       .patch = [](const fs::path& dir) { fs::resize_file(dir / "ckpt.state", 65U << 20U); },
       .warning = "is too long"},
      {.name = "state of a terabyte",
       .number = 22,
       .patch =
           [](const fs::path& dir) {
             std::error_code ignored;  // where there are no files of this size, the state stays as it is
             fs::resize_file(dir / "ckpt.state", 1ULL << 40U, ignored);
             if (ignored) fs::resize_file(dir / "ckpt.state", 65U << 20U);
           },
       .warning = "is too long"},
  };
}

DirectoryCases directory_cases() {
  constexpr const char* kNotRegular = "regular file";
  constexpr const char* kOver = "ckpt-3.ckpt";
  return {
      {.name = "state missing",
       .number = 101,
       .patch = [](const fs::path& dir) { fs::remove(dir / "ckpt.state"); },
       .warning = kRebuilt},
      refused(thing("state is a directory", 101, "ckpt.state", make_directory), ErrorCode::invalid_argument),
      refused(thing("state is a pipe", 101, "ckpt.state", make_fifo), ErrorCode::invalid_argument),
      refused(thing("state is a socket", 101, "ckpt.state", make_socket), ErrorCode::io),
      refused(link("state is a device", 101, "ckpt.state", "/dev/zero"), ErrorCode::invalid_argument),
      link("state is a link to nowhere", 101, "ckpt.state", "nowhere", kRebuilt),
      link("state is a link to another file", 101, "ckpt.state", "../precious", kRebuilt),
      refused(link("state is a link to itself", 101, "ckpt.state", "ckpt.state"), ErrorCode::io),
      // The next save would be this number.
      refused(thing("newest is a directory", 102, "ckpt-3.ckpt", make_directory, kOver, 2),
              ErrorCode::invalid_argument),
      refused(thing("newest is a pipe", 102, "ckpt-3.ckpt", make_fifo, kNotRegular, 2), ErrorCode::invalid_argument),
      link("newest is a link to nowhere", 102, "ckpt-3.ckpt", "nowhere", kOver, 2),
      link("newest is a link to another file", 102, "ckpt-3.ckpt", "../precious", kOver, 2),
      link("newest is a device", 102, "ckpt-3.ckpt", "/dev/zero", kNotRegular, 2),
      link("newest is a link to the one before", 102, "ckpt-3.ckpt", "ckpt-2.ckpt", {}, 2),
      {.name = "newest is empty",
       .number = 101,
       .patch = [](const fs::path& dir) { write_file(dir / "ckpt-3.ckpt", std::string_view{}); },
       .warning = "the file is empty",
       .restored = 2},
      {.name = "a newer one is damaged",
       .number = 101,
       .patch = [](const fs::path& dir) { write_file(dir / "ckpt-4.ckpt", std::string_view{"not a checkpoint"}); },
       .warning = "ckpt-4.ckpt",
       .restored = 3},
      {.name = "a newer one has the largest number",
       .number = 102,
       .patch =
           [](const fs::path& dir) {
             write_file(dir / "ckpt-9223372036854775807.ckpt", std::string_view{"not a checkpoint"});
           },
       .warning = "ckpt-9223372036854775807.ckpt",
       .restored = 3},
      {.name = "odd names", .number = 102, .patch = add_odd_names},
      {.name = "very many names", .number = 102, .patch = add_junk},
      {.name = "a pin of no checkpoint",
       .number = 0,
       .patch = [](const fs::path& dir) { write_file(dir / "ckpt-99.ckpt.pin", std::string_view{}); }},
      thing("a pin is a directory", 0, "ckpt-1.ckpt.pin", make_directory),
      thing("a pin is a pipe", 0, "ckpt-1.ckpt.pin", make_fifo),
      link("a pin is a link to nowhere", 0, "ckpt-1.ckpt.pin", "nowhere"),
      link("a temporary is a link", 103, ".ckpt-4.ckpt.0123456789abcdef.tmp", "../precious"),
      thing("a temporary is a pipe", 103, ".ckpt-4.ckpt.0123456789abcdef.tmp", make_fifo),
      thing("a temporary is a directory", 103, ".ckpt-4.ckpt.0123456789abcdef.tmp", make_directory),
      {.name = "a temporary is a whole checkpoint",
       .number = 103,
       .patch =
           [](const fs::path& dir) { fs::copy_file(dir / "ckpt-1.ckpt", dir / ".ckpt-4.ckpt.0123456789abcdef.tmp"); }},
      refused(thing("the lock is a directory", 0, ".ckpt.lock", make_directory), ErrorCode::io),
      refused(link("the lock is a link to another file", 0, ".ckpt.lock", "../precious"), ErrorCode::io),
      thing("the lock is a pipe", 0, ".ckpt.lock", make_fifo),
  };
}

}  // namespace ckpt::test::hostile
