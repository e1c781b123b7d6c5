package satchel.tokenizer;

import java.util.ArrayList;
import java.util.List;
import satchel.SatchelException;

/** Special tokens around one text and around two, written out piece by piece. */
final class Template extends PostProcessor {
    private final List<Piece> single = new ArrayList<Piece>();
    private final List<Piece> pair = new ArrayList<Piece>();

    private static final class Piece {
        int text = -1; // 0 or 1, or -1 for special tokens
        int type;
        int[] ids;
        String[] tokens;
    }

    Template(Fields fields) {
        Fields special = fields.object("special_tokens");
        read(fields, "single", 1, special, single);
        read(fields, "pair", 2, special, pair);
    }

    private static void read(Fields fields, String key, int texts, Fields special, List<Piece> pieces) {
        for (Object entry : fields.list(key)) {
            Fields outer = Fields.of(entry, "a piece of TemplateProcessing");
            Piece piece = new Piece();
            boolean isText = outer.has("Sequence");
            if (outer.all().size() != 1 || isText == outer.has("SpecialToken")) {
                throw fields.wrong(key, "a list of texts and special tokens");
            }
            Fields inner = outer.object(isText ? "Sequence" : "SpecialToken");
            piece.type = inner.number("type_id");
            String id = inner.text("id");
            if (isText) {
                piece.text = id.equals("A") ? 0 : id.equals("B") ? 1 : 2;
                if (piece.text >= texts) {
                    throw Invalid.file("a template for " + texts + " has the text " + SatchelException.shown(id));
                }
            } else {
                readToken(piece, id, special);
            }
            pieces.add(piece);
        }
    }

    private static void readToken(Piece piece, String id, Fields special) {
        if (!special.has(id)) {
            throw Invalid.file("the template's special token " + SatchelException.shown(id) + " has no ids");
        }
        Fields token = special.object(id);
        List<?> ids = token.list("ids");
        List<?> names = token.list("tokens");
        piece.ids = new int[ids.size()];
        piece.tokens = new String[ids.size()];
        for (int i = 0; i < piece.ids.length; ++i) {
            piece.ids[i] = token.number(ids.get(i), "ids");
            piece.tokens[i] = i < names.size() ? String.valueOf(names.get(i)) : "";
        }
    }

    @Override
    List<Row> process(List<Row> rows, boolean special) {
        if (rows.size() > 2) {
            throw Invalid.text("its tokenizer has a template for what is not one text or two");
        }
        List<Row> out = new ArrayList<Row>();
        for (Piece piece : rows.size() == 2 ? pair : single) {
            if (piece.text >= 0) {
                Row row = rows.get(piece.text);
                row.setType(piece.type);
                row.setSequence(piece.text);
                out.add(row.copy());
            } else if (special) {
                Row row = new Row(rows.get(0).texts != null);
                for (int i = 0; i < piece.ids.length; ++i) {
                    row.addSpecial(piece.ids[i], piece.type, piece.tokens[i]);
                }
                out.add(row);
            }
        }
        return out;
    }
}
