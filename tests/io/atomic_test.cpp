// Saves that fail: the error says which file and what to do, the old file is intact, no temporary remains.
#include <ckpt/ckpt.hpp>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/sanitizer.hpp>
#include <support/temp_dir.hpp>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>

using namespace ckpt;
using namespace ckpt::test;
namespace fs = std::filesystem;

namespace {

void save(const fs::path& path, std::size_t bytes, std::uint64_t seed, WriterOptions options = {}) {
  Writer writer{path, options};
  for (std::size_t i = 0; i < 4; ++i) {
    const Bytes data = random_bytes(bytes / 4, seed + i);
    writer.add("t" + std::to_string(i), DType::u8, {static_cast<std::int64_t>(data.size())}, data);
  }
  writer.commit();
}

// What is wrong with a failed save, or nothing. `old` are the bytes of the file that must have survived.
std::string judge(const std::optional<Error>& error, ErrorCode code, int system_error, const fs::path& path,
                  const Bytes& old) {
  if (!error) return "the save did not fail";
  const std::string text = error->what();
  if (error->code() != code) return "wrong code: " + text;
  if (error->details().system_error != system_error) return "wrong errno: " + text;
  if (!contains(text, path.filename().native())) return "the file is not named: " + text;
  if (error->details().advice.empty()) return "no advice: " + text;
  if (temporaries_in(path.parent_path()) != 0) return "a temporary remains after: " + text;
  if (old.empty() ? fs::exists(path) : read_file(path) != old) return "the old file is damaged after: " + text;
  return {};
}

// In a process whose files may have 100,000 bytes.
ChildResult run_with_file_limit(const std::function<std::string()>& body) {
  return run_child([&]() -> std::string {
    const struct rlimit limit{100'000, 100'000};
    return ::setrlimit(RLIMIT_FSIZE, &limit) == 0 ? body() : skip("cannot set a limit");
  });
}

}  // namespace

TEST_CASE("a full disk, met at every step of a save") {
  const TempDir dir;
  int failed = 0;
  for (std::size_t room = 16; room <= 400; room += 16) {  // KiB; the save needs about 264
    for (const bool durable : {true, false}) {
      for (const std::uint64_t expected : {std::uint64_t{0}, std::uint64_t{260'000}}) {
        const ChildResult result = on_tmpfs(dir / "disk", (room + 12) << 10U, [&]() -> std::string {
          const fs::path path = dir / "disk" / "a.ckpt";
          WriterOptions options;
          options.durable = durable;
          options.expected_bytes = expected;
          save(path, 4096, 1);
          const Bytes old = read_file(path);
          const auto error = error_of([&] { save(path, 260'000, 7, options); });
          if (!error) {
            if (temporaries_in(dir / "disk") != 0) return "a temporary remains after success";
            return Reader::open(path).verify().ok() ? "saved" : "the save gave a bad file";
          }
          const std::string wrong = judge(error, ErrorCode::io, ENOSPC, path, old);
          if (!wrong.empty()) return wrong;
          if (!contains(error->details().advice, "free")) return "the advice does not help: " + error->details().advice;
          save(path, 4096, 3);  // and there is room again
          return Reader::open(path).verify().ok() ? "" : "the next save gave a bad file";
        });
        if (skipped(result)) return;
        INFO(room << " KiB, durable " << durable << ", expected " << expected);
        if (result.text == "saved") {
          CHECK(room > 200);
        } else {
          ++failed;
          CHECK(result.text == "");
        }
      }
    }
  }
  CHECK(failed >= 40);
}

TEST_CASE("a full disk under a large streamed tensor") {
  const TempDir dir;
  const ChildResult result = on_tmpfs(dir / "disk", 24U << 20U, [&]() -> std::string {
    const fs::path path = dir / "disk" / "a.ckpt";
    save(path, 4096, 1);
    const Bytes old = read_file(path);
    const Bytes piece = random_bytes(1U << 20U, 4);
    Writer writer{path};
    const auto error = error_of([&] {
      writer.begin("big", DType::u8, {64 << 20});
      for (int i = 0; i < 64; ++i) writer.append(piece);
      writer.end();
      writer.commit();
    });
    const std::string wrong = judge(error, ErrorCode::io, ENOSPC, path, old);
    if (!wrong.empty()) return wrong;
    if (code_of([&] { writer.append(piece); }) != ErrorCode::invalid_argument) return "the Writer is not poisoned";
    if (code_of([&] { writer.commit(); }) != ErrorCode::invalid_argument) return "the Writer is not poisoned";
    return {};
  });
  if (!skipped(result)) CHECK(result.text == "");
}

TEST_CASE("the limit of the process on file sizes") {
  const TempDir dir;
  const fs::path path = dir / "a.ckpt";
  save(path, 4096, 1);
  const Bytes old = read_file(path);
  const ChildResult result = run_with_file_limit([&]() -> std::string {
    return judge(error_of([&] { save(path, 1'000'000, 2); }), ErrorCode::io, EFBIG, path, old);
  });
  if (!skipped(result)) CHECK(result.text == "");
}

TEST_CASE("a file that the limit does not allow is refused before a byte of it is written") {
  const TempDir dir;
  const ChildResult result = run_with_file_limit([&]() -> std::string {
    const auto error = error_of([&] { Writer{dir / "a.ckpt", {.expected_bytes = 100'001}}; });
    if (!error || error->details().system_error != EFBIG) return "no error, or another";
    return names_in(dir.path()).empty() ? "" : "something is left";
  });
  if (!skipped(result)) CHECK(result.text == "");
}

TEST_CASE("what is compressed needs no room for what it was") {
  const TempDir dir;
  const ChildResult result = run_with_file_limit([&]() -> std::string {
    Variable<float> zeros{Shape{1'000'000}};
    Checkpoint checkpoint;
    checkpoint.track("zeros", zeros);
    checkpoint.write(dir / "a.ckpt", {.writer = {.compression = Compression::zstd}});
    return Reader::open(dir / "a.ckpt").verify().ok() ? "" : "the file is damaged";
  });
  if (!skipped(result)) CHECK(result.text == "");
}

TEST_CASE("too many open files") {
  const TempDir dir;
  const fs::path path = dir / "a.ckpt";
  save(path, 4096, 1);
  const Bytes old = read_file(path);
  const ChildResult result = run_child([&]() -> std::string {
    if (under_sanitizer()) return skip("a sanitizer needs descriptors of its own");
    const struct rlimit limit{3, 3};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return skip("cannot set a limit");
    const auto error = error_of([&] { save(path, 10'000, 2); });
    const auto reading = error_of([&] { Reader::open(path); });
    if (!error || error->code() != ErrorCode::io || error->details().system_error != EMFILE) return "wrong error";
    if (!reading || reading->details().system_error != EMFILE) return "wrong error of the reader";
    return {};
  });
  if (!skipped(result)) CHECK(result.text == "");
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt"});
  CHECK(read_file(path) == old);
}

TEST_CASE("a directory without the right to write") {
  const TempDir dir;
  fs::permissions(dir.path(), fs::perms::all);
  const fs::path closed = dir / "closed";
  fs::create_directory(closed);
  const fs::path path = closed / "a.ckpt";
  save(path, 4096, 1);
  const Bytes old = read_file(path);
  fs::permissions(path, fs::perms::all);
  fs::permissions(closed, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::group_read |
                              fs::perms::group_exec | fs::perms::others_read | fs::perms::others_exec);
  const ChildResult result = run_child([&]() -> std::string {
    if (!drop_rights()) return skip("cannot drop the rights of root");
    return judge(error_of([&] { save(path, 10'000, 2); }), ErrorCode::io, EACCES, path, old);
  });
  if (!skipped(result)) CHECK(result.text == "");
}

TEST_CASE("a file without the right to read") {
  const TempDir dir;
  fs::permissions(dir.path(), fs::perms::all);
  const fs::path path = dir / "a.ckpt";
  save(path, 4096, 1);
  fs::permissions(path, fs::perms::none);
  const ChildResult result = run_child([&]() -> std::string {
    if (!drop_rights()) return skip("cannot drop the rights of root");
    const auto error = error_of([&] { Reader::open(path); });
    if (!error || error->code() != ErrorCode::io) return "wrong error";
    if (error->details().system_error != EACCES) return error->what();
    return error->details().advice.empty() ? "no advice" : "";
  });
  if (!skipped(result)) CHECK(result.text == "");
}

TEST_CASE("a file system that is mounted read-only") {
  const TempDir dir;
  const ChildResult result = on_tmpfs(dir / "disk", 1U << 20U, [&]() -> std::string {
    const fs::path path = dir / "disk" / "a.ckpt";
    save(path, 4096, 1);
    const Bytes old = read_file(path);
    if (!make_read_only(dir / "disk")) return skip("cannot remount");
    return judge(error_of([&] { save(path, 10'000, 2); }), ErrorCode::io, EROFS, path, old);
  });
  if (!skipped(result)) CHECK(result.text == "");
}

TEST_CASE("a directory in the way") {
  const TempDir dir;
  fs::create_directory(dir / "a.ckpt");
  write_file(dir / "a.ckpt" / "precious", "x");
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, save(dir / "a.ckpt", 4096, 1));
  CHECK(contains(error.what(), "a.ckpt"));
  CHECK(contains(error.what(), "directory"));
  CHECK_FALSE(error.details().advice.empty());
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt"});
  CHECK(names_in(dir / "a.ckpt") == std::vector<std::string>{"precious"});
}

TEST_CASE("a directory that comes into the way while the Writer is at work") {
  const TempDir dir;
  Writer writer{dir / "a.ckpt"};
  fs::create_directory(dir / "a.ckpt");
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, writer.commit());
  CHECK(contains(error.what(), "a directory is in the way"));
  CHECK_FALSE(error.details().advice.empty());
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt"});
  CHECK(fs::is_directory(dir / "a.ckpt"));
}

TEST_CASE("a pipe, socket or device in the way stays") {
  const TempDir dir;
  const auto make = [&](const std::string& name, mode_t kind) {
    return ::mknod((dir / name).c_str(), kind | 0600, ::makedev(1, 3)) == 0;
  };
  REQUIRE(make("pipe", S_IFIFO));
  REQUIRE(make("socket", S_IFSOCK));
  std::vector<std::string> names{"pipe", "socket"};
  if (make("device", S_IFCHR)) names.insert(names.begin(), "device");  // of the kind of /dev/null; takes root
  for (const std::string& name : names) {
    INFO(name);
    const fs::file_type type = fs::status(dir / name).type();
    CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, save(dir / name, 4096, 1));
    CHECK(contains(error.what(), "a device, pipe or socket is in the way"));
    Variable<float> v{1};
    Checkpoint checkpoint{{"v", v}};
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, checkpoint.write(dir / name));
    CHECK(fs::status(dir / name).type() == type);
  }
  CHECK(names_in(dir.path()) == names);
  // One that comes later is seen as well.
  Writer writer{dir / "a.ckpt"};
  REQUIRE(make("a.ckpt", S_IFIFO));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.commit());
  CHECK(fs::is_fifo(dir / "a.ckpt"));
}

TEST_CASE("a temporary file that somebody removes") {
  const TempDir dir;
  for (const bool replace : {true, false}) {
    Writer writer{dir / "a.ckpt", {.replace = replace}};
    for (const std::string& name : names_in(dir.path())) fs::remove(dir / name);
    CKPT_REQUIRE_ERROR(error, ErrorCode::io, writer.commit());
    CHECK(contains(error.what(), "the temporary file for it"));
    CHECK(contains(error.what(), "was removed"));
    CHECK(contains(error.details().advice, "save again"));
  }
}

TEST_CASE("a missing directory") {
  const TempDir dir;
  CKPT_REQUIRE_ERROR(error, ErrorCode::not_found, save(dir / "absent" / "a.ckpt", 4096, 1));
  CHECK(contains(error.what(), "absent"));
  CHECK(error.details().system_error == ENOENT);
  CHECK_FALSE(error.details().advice.empty());
  CHECK(names_in(dir.path()).empty());
}

TEST_CASE("a file where the directory should be") {
  const TempDir dir;
  write_file(dir / "file", "x");
  CKPT_REQUIRE_ERROR(error, ErrorCode::io, save(dir / "file" / "a.ckpt", 4096, 1));
  CHECK(error.details().system_error == ENOTDIR);
  CHECK(contains(error.details().advice, "there is a file"));
}

TEST_CASE("paths that name no file") {
  const TempDir dir;
  for (const fs::path& path : {fs::path{}, dir.path() / "", dir / ".", dir / ".."}) {
    CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, save(path, 4096, 1));
    CHECK(error.details().problem == "the path names no file");
  }
  CKPT_REQUIRE_ERROR(error, ErrorCode::io, save(dir / std::string(300, 'n'), 4096, 1));
  CHECK(error.details().system_error == ENAMETOOLONG);
  CHECK(names_in(dir.path()).empty());
  save(dir / std::string(255, 'n'), 4096, 1);
  CHECK(names_in(dir.path()).size() == 1);
}

TEST_CASE("the directory vanishes while the Writer is at work") {
  const TempDir dir;
  fs::create_directory(dir / "gone");
  Writer writer{dir / "gone" / "a.ckpt"};
  fs::remove_all(dir / "gone");
  CHECK(code_of([&] { writer.commit(); }).has_value());
  CHECK(names_in(dir.path()).empty());
}

TEST_CASE("a target that is open, mapped or a link") {
  const TempDir dir;
  const fs::path path = dir / "a.ckpt";
  save(path, 10'000, 1);
  const Reader reader = Reader::open(path, {.mode = ReadMode::mmap});
  const TensorView view = reader.tensor("t0");
  save(path, 20'000, 5);
  CHECK(bytes_of(view) == random_bytes(2500, 1));
  CHECK(reader.verify().ok());
  CHECK(bytes_of(Reader::open(path).tensor("t0")) == random_bytes(5000, 5));

  // A save to a symbolic link replaces the link, never what it points to.
  fs::create_symlink("a.ckpt", dir / "link.ckpt");
  save(dir / "link.ckpt", 4096, 9);
  CHECK_FALSE(fs::is_symlink(dir / "link.ckpt"));
  CHECK(bytes_of(Reader::open(path).tensor("t0")) == random_bytes(5000, 5));
}

TEST_CASE("the new file has the rights that the umask leaves") {
  const TempDir dir;
  const ::mode_t before = ::umask(027);
  save(dir / "a.ckpt", 4096, 1);
  ::umask(before);
  struct stat status{};
  REQUIRE(::stat((dir / "a.ckpt").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0640U);
}

TEST_CASE("no descriptor stays open, whatever happens") {
  const TempDir dir;
  const auto open_files = [] { return names_in("/proc/self/fd").size(); };
  save(dir / "a.ckpt", 4096, 1);
  const std::size_t before = open_files();
  save(dir / "a.ckpt", 10'000'000, 1);
  {
    const Writer abandoned{dir / "b.ckpt"};
  }
  CHECK(code_of([&] { save(dir / "absent" / "a.ckpt", 4096, 1); }).has_value());
  CHECK(code_of([&] {
          Writer writer{dir / "b.ckpt"};
          writer.append({});
        }).has_value());
  write_file(dir / "bad", Bytes(1000));
  CHECK(code_of([&] { Reader::open(dir / "bad"); }).has_value());
  {
    const Reader reader = Reader::open(dir / "a.ckpt");
  }
  CHECK(open_files() == before);
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt", "bad"});
}

TEST_CASE("what a process prints without standard streams does not go into the file") {
  const TempDir dir;
  for (const bool durable : {true, false}) {
    const auto path = dir / (durable ? "durable.ckpt" : "cached.ckpt");
    const ChildResult result = run_child([&]() -> std::string {
      for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(stream);
      Writer writer{path, {.durable = durable}};
      const Bytes data = random_bytes(5'000'000, 1);
      writer.add("a", DType::u8, {5'000'000}, data);
      for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::write(stream, "printed", 7) >= 0 || errno != EBADF) return "a stream leads somewhere";
      }
      writer.commit();
      const Reader reader = Reader::open(path, {.mode = ReadMode::read});
      return ::lseek(STDIN_FILENO, 0, SEEK_CUR) < 0 ? "" : "the file is the standard input";
    });
    CHECK(result.text == "");
    CHECK(Reader::open(path).verify().ok());
  }
}

TEST_CASE("where no number is left but those of the standard streams, nothing is written") {
  const TempDir dir;
  const ChildResult result = run_child([&]() -> std::string {
    if (under_sanitizer()) return skip("a sanitizer needs descriptors of its own");
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(stream);
    const int low = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int last = ::fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);  // will be the directory's
    ::close(last);
    ::close(low);
    const struct rlimit limit{static_cast<rlim_t>(last) + 1, static_cast<rlim_t>(last) + 1};
    if (low != STDIN_FILENO || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) return skip("cannot set a limit");
    const auto error = error_of([&] { Writer{dir / "a.ckpt"}; });
    if (!error || error->details().system_error != EMFILE) return "no error, or another";
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      if (::fcntl(stream, F_GETFD) >= 0) return "a stream stays taken";
    }
    return {};
  });
  if (skipped(result)) return;
  CHECK(result.text == "");
  CHECK(names_in(dir.path()).empty());
}
