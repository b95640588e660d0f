// expect: deleted|implicitly-deleted
// A Writer owns its temporary file: it can be moved, not copied.
#include <ckpt/writer.hpp>

#include <utility>

ckpt::Writer take(ckpt::Writer& writer) {
#ifdef CORRECTED
  return std::move(writer);
#else
  return writer;
#endif
}
