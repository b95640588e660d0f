#include "input.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace ckpt::bench {
namespace {

std::filesystem::path the_work_folder;

struct Free {
  void operator()(std::byte* data) const noexcept { std::free(data); }
};
using Memory = std::unique_ptr<std::byte, Free>;

Memory allocate(std::size_t size) {
  const auto installed =
      static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  // A source, a target, and the same in the page cache.
  if (installed < 4 * size) throw std::runtime_error{"too little memory for this size"};
  // Whole huge pages: what the device and the cores do best with, and so what limits are measured with.
  constexpr std::size_t kHugePage = 2 * kMiB;
  void* data = std::aligned_alloc(kHugePage, (size + kHugePage - 1) / kHugePage * kHugePage);
  if (data == nullptr) throw std::bad_alloc{};
  ::madvise(data, size, MADV_HUGEPAGE);
  return Memory{static_cast<std::byte*>(data)};
}

void fill(std::span<std::byte> memory) {
  std::uint64_t value = 88172645463325252U;
  for (std::size_t i = 0; i < memory.size(); i += sizeof(value)) {  // xorshift; sizes are multiples of 8
    value ^= value << 13U;
    value ^= value >> 7U;
    value ^= value << 17U;
    std::memcpy(memory.data() + i, &value, sizeof(value));
  }
}

std::span<std::byte> touched_memory(std::map<std::int64_t, Memory>& pool, std::int64_t mebibytes) {
  const std::size_t size = static_cast<std::size_t>(mebibytes) * kMiB;
  Memory& memory = pool[mebibytes];
  if (!memory) {
    memory = allocate(size);
    fill({memory.get(), size});
  }
  return {memory.get(), size};
}

// Cuts source memory into tensors, front to back.
class Cutter {
 public:
  Cutter(std::span<const std::byte> memory, std::vector<ModelTensor>& tensors) : rest_{memory}, tensors_{tensors} {}

  void cut(std::string path, const Shape& shape) {
    const std::size_t size = static_cast<std::size_t>(shape.elements()) * sizeof(float);
    tensors_.push_back({std::move(path), shape, rest_.first(size)});
    rest_ = rest_.subspan(size);
  }
  std::int64_t elements_left() const { return static_cast<std::int64_t>(rest_.size() / sizeof(float)); }

 private:
  std::span<const std::byte> rest_;
  std::vector<ModelTensor>& tensors_;
};

void cut_layer(Cutter& cutter, const std::string& layer, std::int64_t width) {
  for (const char* name : {"query", "key", "value", "output"}) {
    cutter.cut(layer + "/attention/" + name + "/kernel", {width, width});
    cutter.cut(layer + "/attention/" + name + "/bias", {width});
  }
  cutter.cut(layer + "/mlp/up/kernel", {width, 4 * width});
  cutter.cut(layer + "/mlp/up/bias", {4 * width});
  cutter.cut(layer + "/mlp/down/kernel", {4 * width, width});
  cutter.cut(layer + "/mlp/down/bias", {width});
  for (const char* name : {"norm_1", "norm_2"}) {
    cutter.cut(layer + "/" + name + "/scale", {width});
    cutter.cut(layer + "/" + name + "/offset", {width});
  }
}

std::vector<ModelTensor> make_transformer(std::int64_t mebibytes) {
  constexpr std::int64_t kLayers = 18;
  std::vector<ModelTensor> tensors;
  Cutter cutter{source(mebibytes), tensors};
  // A layer has 12 width² elements; seven eighths of all go to layers, the rest to the embedding.
  const double in_layer = static_cast<double>(cutter.elements_left()) * 7 / 8 / kLayers;
  const auto width = static_cast<std::int64_t>(std::sqrt(in_layer / 12));
  for (std::int64_t layer = 0; layer < kLayers; ++layer) cut_layer(cutter, "layers/" + std::to_string(layer), width);
  cutter.cut("embedding/weight", {cutter.elements_left()});
  return tensors;
}

std::uint64_t sum_in_order(const std::byte* data, std::size_t words) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + i * sizeof(word), sizeof(word));
    total += word;
  }
  return total;
}

}  // namespace

WorkFolder::WorkFolder(const std::filesystem::path& parent) {
  std::string name = (parent / "ckpt-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::system_error{errno, std::generic_category(), parent.string() + ": cannot make a folder in it"};
  };
  path_ = name;
}

WorkFolder::~WorkFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

const std::filesystem::path& work_folder() { return the_work_folder; }
void set_work_folder(const std::filesystem::path& folder) { the_work_folder = folder; }

std::span<const std::byte> source(std::int64_t mebibytes) {
  static std::map<std::int64_t, Memory> pool;
  return touched_memory(pool, mebibytes);
}

std::span<std::byte> target(std::int64_t mebibytes) {
  static std::map<std::int64_t, Memory> pool;
  return touched_memory(pool, mebibytes);
}

const std::vector<ModelTensor>& transformer(std::int64_t mebibytes) {
  static std::map<std::int64_t, std::vector<ModelTensor>> models;
  std::vector<ModelTensor>& model = models[mebibytes];
  if (model.empty()) model = make_transformer(mebibytes);
  return model;
}

void write_transformer(const std::filesystem::path& file, std::int64_t mebibytes, bool durable) {
  Writer writer{file, {.durable = durable, .expected_bytes = static_cast<std::uint64_t>(mebibytes) * kMiB}};
  for (const ModelTensor& tensor : transformer(mebibytes)) {
    writer.add(tensor.path, DType::f32, tensor.shape, tensor.data);
  }
  writer.commit();
}

std::filesystem::path transformer_file(std::int64_t mebibytes) {
  std::filesystem::path file = work_folder() / ("transformer-" + std::to_string(mebibytes) + ".ckpt");
  if (!std::filesystem::exists(file)) write_transformer(file, mebibytes, true);
  return file;
}

std::string many_tensors_path(std::int64_t tensor) {
  static constexpr const char* kNames[] = {
      "attention/query/kernel", "attention/key/kernel", "attention/value/kernel", "attention/output/kernel",
      "mlp/up/kernel",          "mlp/down/kernel",      "norm_1/scale",           "norm_2/scale"};
  return "model/layers/" + std::to_string(tensor / 8) + '/' + kNames[tensor % 8];
}

std::filesystem::path many_tensors_file(std::int64_t count) {
  std::filesystem::path file = work_folder() / ("tensors-" + std::to_string(count) + ".ckpt");
  if (std::filesystem::exists(file)) return file;
  const std::span<const std::byte> data = source(1).first(64);
  Writer writer{file};
  for (std::int64_t i = 0; i < count; ++i) writer.add(many_tensors_path(i), DType::f32, {16}, data);
  writer.commit();
  return file;
}

// Several pages at a time: the memory answers many requests at once, and one core asks for more of them this way.
std::uint64_t sum(std::span<const std::byte> data) {
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kPages = 8;
  std::uint64_t total = 0;
  for (; data.size() >= kPages * kPage; data = data.subspan(kPages * kPage)) {
    for (std::size_t line = 0; line < kPage; line += kLine) {
      for (std::size_t page = 0; page < kPages; ++page) {
        total += sum_in_order(data.data() + page * kPage + line, kLine / sizeof(std::uint64_t));
      }
    }
  }
  const std::size_t words = data.size() / sizeof(std::uint64_t);
  total += sum_in_order(data.data(), words);
  std::uint64_t last = 0;
  std::memcpy(&last, data.data() + words * sizeof last, data.size() % sizeof last);
  return total + last;
}

}  // namespace ckpt::bench
