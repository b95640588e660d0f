// The hot paths of ckpt, once each. `./dev bench --counts` (counts.py) runs this program under callgrind, which counts
// the instructions inside of one of the functions count_*.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

#ifdef __clang__
constexpr const char* kCompiler = "Clang " __clang_version__;
#else
constexpr const char* kCompiler = "GCC " __VERSION__;
#endif

constexpr std::size_t kTensors = 10'000;
constexpr std::size_t kTensorBytes = 64;

std::vector<std::string> make_paths() {
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < kTensors; ++i) {
    paths.push_back("model/layers/" + std::to_string(i / 4) + "/attention/" + std::to_string(i % 4) + "/kernel");
  }
  return paths;
}

void write(const std::filesystem::path& file, const std::vector<std::string>& paths) {
  const std::vector<std::byte> data(kTensorBytes, std::byte{1});
  // Everything that would differ between two runs is set.
  ckpt::Writer writer{file, {.durable = false, .uuid = ckpt::Uuid{}, .created_ns = 0}};
  for (const std::string& path : paths) writer.add(path, ckpt::DType::f32, {16}, data);
  writer.commit();
}

void require(bool condition) {
  if (!condition) throw std::runtime_error{"the file is not what was written"};
}

void bind_every(const ckpt::Reader& reader) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < reader.size(); ++i) bytes += reader.tensor(i).owner() ? kTensorBytes : 0;
  require(bytes == kTensors * kTensorBytes);
}

void find_every(const ckpt::Reader& reader, const std::vector<std::string>& paths) {
  std::size_t found = 0;
  for (const std::string& path : paths) found += reader.find(path) ? 1U : 0U;
  require(found == kTensors);
}

}  // namespace

// Names that callgrind can be told.
extern "C" {
[[gnu::noinline]] void count_open(const std::filesystem::path& file) { require(ckpt::Reader::open(file).size() > 0); }

[[gnu::noinline]] void count_open_bind_one(const std::filesystem::path& file, const std::string& path) {
  const ckpt::Reader reader = ckpt::Reader::open(file);
  require(reader.tensor(path).owner() != nullptr);
}

[[gnu::noinline]] void count_bind_all(const ckpt::Reader& reader) { bind_every(reader); }

[[gnu::noinline]] void count_find_all(const ckpt::Reader& reader, const std::vector<std::string>& paths) {
  find_every(reader, paths);
}

[[gnu::noinline]] void count_save(const std::filesystem::path& file, const std::vector<std::string>& paths) {
  write(file, paths);
}
}

// Makes the file that it is given, which stays, and prints the compiler that made the program.
int main(int argc, char** argv) try {
  if (argc != 2) throw std::invalid_argument{"usage: ckpt_counts FILE"};
  const std::filesystem::path file = argv[1];
  const std::vector<std::string> paths = make_paths();
  // The first call of everything resolves symbols and fills the heap; the second one counts.
  write(file, paths);
  bind_every(ckpt::Reader::open(file));
  find_every(ckpt::Reader::open(file), paths);

  count_save(file, paths);
  count_open(file);
  count_open_bind_one(file, paths[kTensors / 3]);
  count_bind_all(ckpt::Reader::open(file));
  count_find_all(ckpt::Reader::open(file), paths);
  std::puts(kCompiler);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "ckpt_counts: %s\n", error.what());
  return 1;
}
