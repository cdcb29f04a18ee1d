/** Opens a segment by the path it had when it was listed, although it may have been compressed since. */
import { COMPRESSED_EXTENSION, isMissing } from './journal/directory.ts';
import { SegmentReader } from './journal/reader.ts';

/** Throws when the segment is there in neither form. */
export function openSegment(path: string, limit: number | undefined): SegmentReader {
  try {
    return SegmentReader.open(path, limit);
  } catch (error) {
    if (!isMissing(error) || path.endsWith(COMPRESSED_EXTENSION)) throw error;
    return SegmentReader.open(path.replace(/\.[^.]*$/, COMPRESSED_EXTENSION), limit);
  }
}
