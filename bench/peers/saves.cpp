// Saving: with a Writer, and in the background beside a training loop.
#include "driver.hpp"

#include <array>
#include <stdexcept>

namespace ckpt::bench {
namespace {

Compression compression_of(const std::string& name) {
  if (name == "none") return Compression::none;
  if (name == "zstd") return Compression::zstd;
  throw std::invalid_argument{"no such compression: " + name};
}

// Fields: file, durable (1), compression (none), level (1). The file is new or replaced.
void save(Session& session, const Request& request, Answer& answer) {
  WriterOptions options{.durable = request.number_or("durable", 1) != 0,
                        .compression = compression_of(request.text_or("compression", "none")),
                        .compression_level = static_cast<int>(request.number_or("level", 1))};
  if (options.compression == Compression::none) options.expected_bytes = session.model.bytes;
  answer.set_seconds("seconds", seconds([&] {
                       Writer writer{request.file(), options};
                       for (const Tensor& tensor : session.model.tensors) {
                         writer.add(tensor.path, tensor.dtype, tensor.shape, tensor.data);
                       }
                       writer.commit();
                     }));
  answer.set("bytes", session.model.bytes);
  answer.set("sum", session.model.sum);
  answer.set("stored", std::filesystem::file_size(request.file()));
}

// How well a file is compressed: bytes of all tensors, what they take in the file, and how many are stored plain.
void stored(Session& /*session*/, const Request& request, Answer& answer) {
  const Reader reader = Reader::open(request.file());
  std::uint64_t data = 0, in_file = 0, plain = 0;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const TensorInfo info = reader.info(i);
    data += info.size_bytes;
    in_file += info.stored_bytes;
    plain += info.compression == Compression::none ? 1 : 0;
  }
  answer.set("bytes", data);
  answer.set("stored", in_file);
  answer.set("tensors", reader.size());
  answer.set("plain", plain);
}

SaveMode mode_of(const std::string& name) {
  if (name == "copy") return SaveMode::copy;
  if (name == "hand_off") return SaveMode::hand_off;
  throw std::invalid_argument{"no such mode: " + name};
}

// Stands for a training step: arithmetic of one core on memory of its own, some milliseconds.
class TrainingStep {
 public:
  void operator()() {
    for (std::size_t round = 0; round < 4; ++round) multiply();
  }

 private:
  static constexpr std::size_t kSize = 192;
  using Matrix = std::array<float, kSize * kSize>;

  // One piece of code for all steps: copies of it, placed differently, differ in speed by as much as is measured here.
  [[gnu::noinline]] void multiply() {
    for (std::size_t row = 0; row < kSize; ++row) {
      float* out = weights_->data() + (row * kSize);
      for (std::size_t inner = 0; inner < kSize; ++inner) {
        const float factor = (*inputs_)[(row * kSize) + inner] * 1e-3F;
        const float* in = inputs_->data() + (inner * kSize);
        for (std::size_t column = 0; column < kSize; ++column) out[column] += factor * in[column];
      }
    }
    benchmark::DoNotOptimize(weights_->data());
  }

  std::unique_ptr<Matrix> inputs_ = std::make_unique<Matrix>(Matrix{1.0F});
  std::unique_ptr<Matrix> weights_ = std::make_unique<Matrix>(Matrix{});
};

// Fields: file, mode (copy). Saves twice, and what is answered is of the second: the first fills the staging memory.
// Answers with the stall, the time of a training step beside the save, and that of one alone.
void save_async(Session& session, const Request& request, Answer& answer) {
  const SaveMode mode = mode_of(request.text_or("mode", "copy"));
  Variables variables{session.model};
  const Checkpoint checkpoint{variables};
  AsyncSaver saver{checkpoint};
  saver.write(request.file(), {.mode = mode}).durable();
  TrainingStep step;
  std::size_t steps = 0;
  PendingSave pending;
  const double stall = seconds([&] { pending = saver.write(request.file(), {.mode = mode}); });
  const double beside = seconds([&] {
    do {
      step();
      ++steps;
    } while (!pending.is_done());
  });
  pending.durable();
  const double alone = seconds([&] {
    for (std::size_t i = 0; i < steps; ++i) step();
  });
  answer.set_seconds("seconds", stall);
  answer.set_seconds("beside", beside / static_cast<double>(steps));
  answer.set_seconds("alone", alone / static_cast<double>(steps));
  answer.set("steps", steps);
  answer.set("bytes", session.model.bytes);
}

}  // namespace

Operations save_operations() { return {{"save", save}, {"stored", stored}, {"save_async", save_async}}; }

}  // namespace ckpt::bench
